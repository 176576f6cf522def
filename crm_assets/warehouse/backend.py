"""The interface of all kinds of warehouses. Only this package knows which kind is in use."""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from crm_assets.settings import Crm
from crm_assets.source.http.limits import Ledger

Change = Callable[[duckdb.DuckDBPyConnection], object]
"""Changes a database."""

SHARED = "crm_assets_shared"
"""A DuckDB variable of connections to a lake: the tables of `if_free` that another process has locked."""


def is_shared(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether another process may delete rows of a table meanwhile, so that this one may only add some."""
    [[shared]] = connection.execute(f"select list_contains(getvariable('{SHARED}'), ?)", [table]).fetchall()
    return bool(shared)


@dataclass(frozen=True)
class Published:
    """The published state of the tables.

    Attributes:
        where: A path, or the warehouse's name.
        is_new: Whether readers see a newer state than before the call.
        version: The number of the snapshot; None if there are no snapshots.
    """

    where: str
    is_new: bool
    version: int | None = None


class Backend(Protocol):
    """One kind of warehouse."""

    @property
    def name(self) -> str:
        """The name in messages, without passwords."""

    @property
    def working_folder(self) -> Path:
        """A local folder for temporary files."""

    def check(self) -> None:
        """Checks that the warehouse can be written to.

        Raises:
            WarehouseUnreachable: It cannot.
        """

    def connected(
        self, *, read_only: bool, tables: Collection[str], if_free: Collection[str]
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection in UTC whose default catalog is the warehouse, so that `raw.accounts` is a table of it.

        Args:
            read_only: Whether writing is refused.
            tables: The only tables whose rows will be changed, such as `raw.accounts`; empty: any. Other writers of
                these tables have to wait.
            if_free: Tables to which rows will be added, whoever else writes. Others are deleted only if `is_shared`
                says that nobody else may do so.

        Raises:
            NothingStored: Read-only, and there is no database yet.
            WarehouseBusy: Other writers did not finish in time.
            WarehouseUnreachable: It could not be opened.
        """

    def kept_open(self) -> AbstractContextManager[None]:
        """Allows connections to be kept open and reused while the body runs."""

    def publish(self, crm: Crm) -> Published:
        """Publishes the current state of a CRM's tables to readers."""

    def erase(self, crm: Crm, record: Change) -> None:
        """Erases a CRM's deleted values for good, from free blocks and old snapshots, and publishes the current state.

        Args:
            crm: The CRM.
            record: Called to record this in the database: with the change that it makes, all deleted values are erased.
        """

    def maintain(self) -> Mapping[str, int]:
        """Runs regular maintenance and returns numbers about it. Does not block readers, and writers only briefly."""

    def ledger(self, crm: str) -> AbstractContextManager[Ledger | None]:
        """The ledger in which all processes that share the warehouse count their requests to a CRM.

        None if there is none: the sync log then has the requests of earlier processes.
        """
