"""What all kinds of warehouses have. What only a lake has is asked of the lake: `Warehouse.lake`."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb

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

    @property
    def stamp(self) -> Any:
        """Changes whenever somebody has written. None if that is not known."""

    def connected(
        self, *, read_only: bool, tables: Collection[str], if_free: Collection[str]
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection in UTC whose default catalog is the warehouse, so that `raw.accounts` is a table of it.

        `Warehouse.get_connection` describes the arguments and errors.
        """

    def publish(self) -> Published:
        """Publishes the current state of all tables to readers."""

    def erase(self, record: Change) -> None:
        """Erases deleted values for good, from free blocks and old snapshots, and publishes the current state.

        Args:
            record: Called to record this in the database: with the change that it makes, all deleted values are erased.
        """
