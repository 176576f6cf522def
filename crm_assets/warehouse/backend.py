"""What every kind of warehouse offers. Only this package knows which kind is in use."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from crm_assets.source.http.limits import Ledger


class WarehouseUnreachable(Exception):
    """The warehouse could not be opened. The message says what could not be reached, and holds no password."""


@dataclass(frozen=True)
class Published:
    """Where readers find the tables now.

    Attributes:
        where: A path, or the warehouse's name.
        is_new: Whether readers see another state than before this was called.
        version: Number of that state, where states are numbered.
    """

    where: str
    is_new: bool
    version: int | None = None


class Backend(Protocol):
    """One kind of warehouse."""

    @property
    def name(self) -> str:
        """What messages call it, without passwords."""

    @property
    def working_folder(self) -> Path:
        """A folder of this machine for files that a run leaves nothing of."""

    def check(self) -> None:
        """Makes sure that a load would find a place.

        Raises:
            WarehouseUnreachable: It would not.
        """

    def connected(
        self, *, read_only: bool, tables: Collection[str]
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection in UTC whose default catalog is the warehouse, so that `raw.accounts` is a table of it.

        Args:
            read_only: Whether writing is refused.
            tables: The only ones (`raw.accounts`) whose rows will be changed; empty: any. Who changes one of them, or
                any, comes later.

        Raises:
            FileNotFoundError: Read-only, and nothing was written yet.
            WarehouseBusy: Others kept writing until the wait was over.
            WarehouseUnreachable: It could not be opened.
        """

    def kept_open(self) -> AbstractContextManager[None]:
        """While the body runs, connections may be kept for the next who wants one."""

    def publish(self) -> Published:
        """Lets readers see what is in the tables, as one whole state."""

    def erase(self) -> None:
        """Leaves nothing anywhere of what was taken out of the tables, neither in free blocks nor in earlier states.

        Notes that it is done with `policy.set_erased`, and lets readers see the tables as they are now.
        """

    def maintain(self) -> Mapping[str, int]:
        """Does what is due from time to time; returns numbers about it. Reading and writing go on meanwhile."""

    def ledger(self, crm: str) -> AbstractContextManager[Ledger | None]:
        """Where all processes that share the warehouse count their requests to a CRM, while the body runs.

        None where one process after the other reads, and the sync log tells what each has sent.
        """
