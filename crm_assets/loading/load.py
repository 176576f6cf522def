"""Loads dlt's Parquet files into a raw table, in one transaction: columns, rows, the sync log.

The database is locked only for the load, not while the API is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import duckdb
import pyarrow as pa

from crm_assets.api import UPDATED_AT
from crm_assets.loading.changes import Changes, Comparison
from crm_assets.loading.raw_tables import adapt_columns, declare_tables, own_columns, raw_table, show_present
from crm_assets.loading.shared_tables import (
    create_shared_tables,
    delete_older,
    merge_side_loads,
    prune_logs,
)
from crm_assets.loading.sync_log import ListRequest, write_sync_log
from crm_assets.settings import Crm
from crm_assets.source.reading.report import ReadMode, ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import POSITION
from crm_assets.warehouse.duckdb_messages import is_out_of_memory
from crm_assets.warehouse.tables import RAW, comment, identifier, statements_of
from crm_assets.warehouse.transactions import committed, tables_known

LOAD_MEMORY = "128MiB"
"""DuckDB's memory limit for a load: without one it keeps most of a million rows in memory. If it is too low, for very
long values or thousands of columns, the load is retried with the normal limit."""

NARROW = f"set memory_limit = '{LOAD_MEMORY}'; set threads = 1; set preserve_insertion_order = false"
"""One thread: each allocates buffers per column, partly outside memory_limit, and more do not speed up the merge."""

RECORDS = "read_parquet($files, union_by_name = true, hive_partitioning = false)"

SQL = statements_of(__file__)


@dataclass(frozen=True)
class LoadPackage:
    """The result of one read, to be loaded.

    Attributes:
        crm: The CRM.
        load_id: The id of the read, from `count_read`.
        files: Parquet files with the records, as glob patterns for DuckDB.
        types: Column -> data type.
        rows: Records in the files.
        side_loads: The side-loaded records, from `SideLoads.table`.
        report: The report of the read.
        request: The list that was read.
        rows_forgotten: Records that were left out, since they are forgotten.
        confirm: Called within the transaction, before it changes rows: refuses the load if its records may no longer be
            stored.
        vanishing_share: The share of the rows shown that may vanish at once without being confirmed.
        keep_log_days: Days after which rows of the log tables are deleted; 0 keeps all.
    """

    crm: Crm
    load_id: str
    files: Sequence[str]
    types: Mapping[str, str]
    rows: int
    side_loads: pa.Table
    report: ReadReport
    request: ListRequest
    rows_forgotten: int
    confirm: Callable[[duckdb.DuckDBPyConnection], object]
    vanishing_share: float
    keep_log_days: int

    @property
    def tables(self) -> list[str]:
        """The tables in which rows are replaced. To the sync log and to side-loaded records they are only added."""
        shared = {"rejected_records": self.report.rejected, "dropped_fields": self.report.dropped_fields}
        return [f"{RAW}.{table}" for table in (self.report.resource, *(name for name, rows in shared.items() if rows))]

    @property
    def has_repeated_ids(self) -> bool:
        """Whether some records were received more than once."""
        return self.rows + self.rows_forgotten > self.report.ids_read


Loaded = tuple[ReadReport, Changes, list[str]]
"""The report of a read, incomplete also if too many rows would vanish at once; what has changed; messages about columns
whose type has changed."""


@contextmanager
def little_memory(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Ends the limits of memory and threads that `load` sets, so that what follows a load in the body has them, too.

    `load` sets them itself, since it may repeat a transaction in a new instance. An error closes the instance.
    """
    limits = "select system.main.current_setting('memory_limit'), system.main.current_setting('threads')"
    [[memory, threads]] = connection.execute(limits).fetchall()
    yield
    connection.execute(f"set memory_limit = '{memory}'; set threads = {threads}; reset preserve_insertion_order")


def load(connection: duckdb.DuckDBPyConnection, package: LoadPackage) -> Loaded:
    """Merges a package into its raw table and writes the sync log, atomically. Needs `little_memory`.

    Rows that were loaded by a read which began later are not changed, since reads of one resource can overlap. Of a
    record received several times, the version changed last is kept, and among equals the one received last.
    """
    try:
        loaded = committed(connection, partial(_load, connection, package, NARROW))
    except duckdb.Error as error:
        if not is_out_of_memory(error):
            raise
        loaded = committed(connection, partial(_load, connection, package))  # in a new instance, with the normal limit
    if len(package.side_loads):
        delete_older(connection)
    return loaded


def _load(connection: duckdb.DuckDBPyConnection, package: LoadPackage, limits: str = "") -> Loaded:
    connection.execute(limits)
    resource = package.report.resource
    create_shared_tables(connection)
    with tables_known(connection):
        package.confirm(connection)
    declare_tables(connection)
    columns = _columns(connection, package) if package.files else []
    added, converted = adapt_columns(connection, resource, package.types, columns)
    comparison = Comparison(connection, resource, package.load_id)
    if package.files:
        _merge(connection, package, columns)
    other_names = merge_side_loads(connection, package.side_loads, package.load_id)
    other_view = show_present(connection, resource, columns_changed=bool(added or converted))
    described = False
    if package.report.mode is ReadMode.full or added or converted:
        declared = resource_schema(resource)
        undeclared = dict.fromkeys(own_columns(connection, resource), "")
        descriptions = undeclared | {name: column.description for name, column in declared.columns.items()}
        described = comment(connection, "table", (RAW, resource), declared.description, descriptions)
    report, vanished = _confirmed(package, comparison)
    write_sync_log(connection, report, package.request, package.load_id)
    changes = comparison.changes(vanished, more_changed=other_names or other_view or described)
    if report.mode is ReadMode.full:
        prune_logs(connection, report, package.keep_log_days)
    return report, changes, [f"raw.{resource}: {change}" for change in converted]


def _confirmed(package: LoadPackage, comparison: Comparison) -> tuple[ReadReport, int]:
    """The report of the read, which is incomplete if too many rows would vanish, and how many rows vanish."""
    report = package.report
    if report.mode is ReadMode.incremental or not report.complete:
        return report, 0
    missing, is_doubted = comparison.missing(package.vanishing_share)
    if not is_doubted:
        return report, missing
    because = (
        f"{missing:,} of {comparison.shown.rows:,} rows would vanish at once. Another full read that finds the same "
        f"confirms it, and so does: {package.crm.command(f'confirm {report.resource}')}"
    )
    return replace(report, incomplete_because=because), 0


def _merge(connection: duckdb.DuckDBPyConnection, package: LoadPackage, columns: Sequence[str]) -> None:
    files, chosen = {"files": package.files}, "true"
    load, table = files | {"load_id": package.load_id}, raw_table(package.report.resource)
    if package.has_repeated_ids:
        is_dated = resource_schema(package.report.resource).has_updated_at
        changed_at = f"coalesce({UPDATED_AT}, '-infinity'::timestamptz)" if is_dated else "null"
        connection.execute(SQL["superseded"].format(records=RECORDS, changed_at=changed_at), files)
        chosen = f"{POSITION} not in (from temp.superseded)"
    connection.execute(SQL["delete_earlier"].format(table=table, records=RECORDS), load)
    names = ", ".join(map(identifier, columns))
    connection.execute(SQL["insert"].format(table=table, records=RECORDS, names=names, chosen=chosen), load)
    connection.execute("drop table if exists temp.superseded")


def _columns(connection: duckdb.DuckDBPyConnection, package: LoadPackage) -> list[str]:
    """The columns of the package's files, without the position, and the load id that dlt adds to files without rows."""
    described = connection.execute(f"from {RECORDS} limit 0", {"files": package.files}).description
    return [column for column, *_ in described or () if column not in {POSITION, "_dlt_load_id"}]
