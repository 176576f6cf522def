"""A database at MotherDuck as the warehouse: DuckDB's own SQL, kept by a service that any machine reaches."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.warehouse.backend import Published, WarehouseUnreachable
from crm_assets.warehouse.policy import set_erased

TOKEN = re.compile(r"(motherduck_token=)[^&\s]+")


@dataclass(frozen=True)
class MotherDuck:
    """One database.

    Attributes:
        address: `md:` and its name; the token stands in the variable `motherduck_token`, as MotherDuck has it.
        working_folder: A folder of this machine for files that a run leaves nothing of.
        config: DuckDB's configuration.
    """

    address: str
    working_folder: Path
    config: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The address, without a token."""
        return TOKEN.sub(r"\1***", self.address)

    def check(self) -> None:
        """Connects once.

        Raises:
            WarehouseUnreachable: Tells why that failed.
        """
        with self.connected(read_only=True):
            pass

    @contextmanager
    def connected(self, *, read_only: bool, tables: Collection[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection. Nobody waits for another: of two commits that change the same, one is made again."""
        try:
            connection = duckdb.connect(self.address, read_only=read_only, config=dict(self.config))
        except duckdb.Error as error:
            reason = " ".join(TOKEN.sub(r"\1***", str(error)).split())
            raise WarehouseUnreachable(
                f"{self.name} could not be reached: {reason}. Check CRM_WAREHOUSE and motherduck_token"
            ) from None
        with closing(connection):
            connection.execute("set TimeZone = 'UTC'")
            yield connection

    def kept_open(self) -> AbstractContextManager[None]:
        """Keeps nothing."""
        return nullcontext()

    def publish(self) -> Published:
        """Readers see every commit."""
        return Published(self.name, is_new=True)

    def erase(self) -> None:
        """Notes that the tables follow. What MotherDuck keeps of earlier states expires by its own rules."""
        with self.connected(read_only=False) as connection:
            set_erased(connection, erased=True)

    def maintain(self) -> Mapping[str, int]:
        """Nothing: MotherDuck does that."""
        return {}

    def ledger(self, crm: str) -> AbstractContextManager[None]:
        """None: the sync log tells what was sent."""
        return nullcontext()
