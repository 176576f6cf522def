"""What a load changes: new, changed and vanished rows, in table `raw.sync_changes`; full reads that lack too many rows.

A full read that lacks most of the rows shown counts as incomplete until it is confirmed: a changed filter or a lost
permission empties a list for a while, and histories would record that for good. Another full read that finds the same
confirms such a read, and so does the user.
"""

from dataclasses import dataclass

import duckdb

from crm_assets.api import ID
from crm_assets.loading.raw_tables import own_columns, raw_table
from crm_assets.loading.sync_log import count_read
from crm_assets.warehouse.tables import RAW, exist, identifier, statements_of
from crm_assets.warehouse.transactions import committed

SQL = statements_of(__file__)

FEW = 20
"""So many rows may vanish at once, whatever their share."""

OF_READ = " where resource = $resource and _dlt_load_id = $load_id"
COMPLETE = "update raw.sync_log set complete = true" + OF_READ
NO_REASON = "update raw.sync_details set incomplete_because = ''" + OF_READ
VANISHED = "update raw.sync_changes set rows_vanished = $missing" + OF_READ


@dataclass(frozen=True)
class Changes:
    """The changes of a raw table by one load.

    Attributes:
        new: Rows with a new id.
        changed: Rows that were present and now have another value in any column.
        vanished: Rows that were present and no longer are.
        returned: Rows that had vanished and are present again.
        version: Load id of the last load that changed anything, including columns and side-loaded records.
    """

    new: int
    changed: int
    vanished: int
    returned: int
    version: str


@dataclass(frozen=True)
class ShownRows:
    """The rows of a raw table that are shown.

    Attributes:
        since: The load from which on rows are shown; empty before the first complete full read.
        doubted: The last full read since then that is to be confirmed; None if there is none.
        rows: How many rows there are.
        missing: How many of them the doubted read lacked.
    """

    since: str
    doubted: str | None
    rows: int
    missing: int

    @classmethod
    def counted(cls, connection: duckdb.DuckDBPyConnection, resource: str, before: str | None = None) -> "ShownRows":
        """Counts them. `before`: only those last seen before this load."""
        [[since, doubted]] = connection.execute(SQL["last_reads"], {"resource": resource}).fetchall()
        limits = {"since": since, "doubted": doubted, "before": before}
        [counts] = connection.execute(SQL["seen"].format(table=raw_table(resource)), limits).fetchall()
        return cls(since, doubted, *counts)


class Comparison:
    """Compares a raw table before and after a load, within the load's transaction.

    It compares 64-bit hashes of the rows' values: joining two tables on all columns would take as long as loading them.
    dlt's own columns are left out.

    Attributes:
        shown: The rows shown before the load.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, resource: str, load_id: str) -> None:
        """Reads the table before rows change. The load must already have added its columns."""
        self._connection, self._resource, self._load_id = connection, resource, load_id
        self.shown = ShownRows.counted(connection, resource)
        columns = ", ".join(map(identifier, own_columns(connection, resource)))
        self._names = {"id": ID, "columns": columns, "table": raw_table(resource)}
        # Of a table without rows, a lake's catalog would be asked once per column.
        stored = self._names if self.shown.since or self.shown.rows else {**self._names, "columns": "0"}
        connection.execute(SQL["stored"].format(**stored), {"load_id": load_id, "since": self.shown.since})

    def missing(self, share: float) -> tuple[int, bool]:
        """How many of the rows a complete full read lacks, and whether these are too many and nothing confirms it.

        An earlier read that lacked too many confirms this one if neither lacks too many of the other's rows.

        Args:
            share: The share of the rows that may vanish at once.
        """
        shown, lacking = self.shown, ShownRows.counted(self._connection, self._resource, self._load_id)
        if not _too_many(lacking.rows, shown.rows, share):
            return lacking.rows, False
        if shown.doubted:
            lost, listed = lacking.rows - lacking.missing, shown.rows - shown.missing
            back, found = shown.missing - lacking.missing, shown.rows - lacking.rows
            if not _too_many(lost, listed, share) and not _too_many(back, found, share):
                return lacking.rows, False
        self._connection.execute(
            "insert into raw.unconfirmed_reads values (?, ?, ?, ?)",
            [self._resource, shown.rows, lacking.rows, self._load_id],
        )
        return lacking.rows, True

    def changes(self, vanished: int, *, more_changed: bool) -> Changes:
        """Computes the changes after the load and stores them.

        Args:
            vanished: How many rows are no longer shown.
            more_changed: Whether the load changed anything besides rows.
        """
        [counted] = self._connection.execute(
            SQL["compared"].format(**self._names), {"load_id": self._load_id}
        ).fetchall()
        new, changed, returned = counted
        self._connection.execute("drop table temp.stored_before")
        last = self._connection.execute(SQL["last_version"], [self._resource]).fetchone()
        same = last is not None and not (more_changed or new or changed or vanished or returned)
        found = Changes(new, changed, vanished, returned, version=str(last[0]) if last and same else self._load_id)
        self._connection.execute(
            "insert into raw.sync_changes values (?, ?, ?, ?, ?, ?, ?)",
            [self._resource, new, changed, vanished, returned, found.version, self._load_id],
        )
        return found


def _too_many(missing: int, rows: int, share: float) -> bool:
    return missing > FEW and (missing > share * rows or missing == rows)


def unconfirmed(connection: duckdb.DuckDBPyConnection, resource: str) -> ShownRows | None:
    """The rows shown until a full read is confirmed; None if there is no such read since the last complete one."""
    if not exist(connection, f"{RAW}.unconfirmed_reads"):
        return None
    shown = ShownRows.counted(connection, resource)
    return shown if shown.doubted else None


def confirm(connection: duckdb.DuckDBPyConnection, resource: str) -> ShownRows | None:
    """Makes the read complete that is to be confirmed: the rows that it lacked vanish. Returns it, if there is one."""

    def confirmed() -> ShownRows | None:
        version, found = count_read(connection), unconfirmed(connection, resource)
        if found is not None:
            of_read = {"resource": resource, "load_id": found.doubted}
            connection.execute(COMPLETE, of_read)
            connection.execute(NO_REASON, of_read)
            connection.execute(VANISHED, of_read | {"missing": found.missing})
            connection.execute(SQL["new_version"], {"resource": resource, "version": version})
        return found

    return committed(connection, confirmed)
