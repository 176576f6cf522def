"""What all kinds of warehouses do: publish, change a database. `Warehouse` describes the methods that they have."""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb

Change = Callable[[duckdb.DuckDBPyConnection], object]
"""Changes a database."""


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
