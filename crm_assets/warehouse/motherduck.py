"""A MotherDuck database as the warehouse: DuckDB as a service that any machine can use."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import duckdb

from crm_assets.errors import WarehouseUnreachable
from crm_assets.masking import masked
from crm_assets.settings import secrets
from crm_assets.warehouse.sharing import Change, Published
from crm_assets.warehouse.transactions import Reconnecting, committed


@dataclass(frozen=True)
class MotherDuck:
    """A MotherDuck database.

    Attributes:
        address: `md:` and its name. MotherDuck reads the token from the variable `MOTHERDUCK_TOKEN`.
        working_folder: A local folder for temporary files.
        config: DuckDB's configuration.
    """

    address: str
    working_folder: Path
    config: Mapping[str, Any]

    stamp: ClassVar[None] = None
    """When somebody has written is not known."""

    @classmethod
    def of(cls, configured: str, working_folder: Path, config: Mapping[str, Any], name: str) -> "MotherDuck":
        """The configured database; for a name, the one beside it, such as `md:crm_north`."""
        database, mark, options = configured.partition("?")
        return cls(f"{database}{f'_{name}' if name else ''}{mark}{options}", working_folder, config)

    @property
    def name(self) -> str:
        """The address, without options."""
        return secrets.warehouse(self.address).shown

    @contextmanager
    def connected(
        self, *, read_only: bool, tables: Collection[str] = (), if_free: Collection[str] = (), keep: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection. Writers do not wait for each other: if two commits conflict, one is retried."""
        with Reconnecting(partial(self._connected, read_only=read_only)) as connection:
            yield connection

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            connection = duckdb.connect(self.address, read_only=read_only, config=dict(self.config))
        except duckdb.Error as error:
            reason = " ".join(masked(str(error), secrets.warehouse(self.address).secrets).split())
            raise WarehouseUnreachable(
                f"{self.name} could not be reached: {reason}. Check CRM_WAREHOUSE and MOTHERDUCK_TOKEN",
                may_recover=False,  # its driver does not tell whether the service refused
            ) from None
        with closing(connection):
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    def publish(self) -> Published:
        """Does nothing: readers see every commit at once."""
        return Published(self.name, is_new=True)

    def erase(self, record: Change) -> None:
        """Only records the erasure. Old snapshots at MotherDuck expire by its own rules."""
        with self.connected(read_only=False) as connection:
            committed(connection, partial(record, connection))
