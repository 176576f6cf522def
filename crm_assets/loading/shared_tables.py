"""The tables that all resources share: the log tables, with rows for each read, and side-loaded records such as users.

A record that stays in the CRM's list is rejected by each read, so it has one row, as has a dropped field. Otherwise the
tables would grow with each read.
"""

from operator import attrgetter

import duckdb
import pyarrow as pa

from crm_assets.api import LOG_TABLES
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.batches import MAX_REJECTED
from crm_assets.warehouse.lake.commit import is_shared
from crm_assets.warehouse.tables import is_lake, statements_of
from crm_assets.warehouse.transactions import committed

SQL = statements_of(__file__)

FOUND = {
    "rejected_records": "(reason, coalesce(record::varchar, '')) in (select (reason, coalesce(record, '')) from found)",
    "dropped_fields": "field in (select field from found)",
}
"""Log table -> the condition of rows of what a read left out."""

ARROW = pa.schema([("page", pa.int64()), ("reason", pa.string()), ("record", pa.string()), ("records", pa.int64())])

BATCH_DAYS = 30
"""In a lake, old rows are deleted together, so many days later: loads that run meanwhile conflict, and start over."""


def create_shared_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables that resources share, unless they exist, and adds new columns to older log tables."""
    create_side_loaded(connection)
    connection.execute(SQL["create"])
    described = connection.execute("from raw.rejected_records limit 0").description or ()
    if "first_seen" not in {name for name, *_ in described}:
        connection.execute(SQL["more_columns"])
        for table in FOUND:
            for (resource,) in connection.execute(f"select distinct resource from raw.{table}").fetchall():
                keep_distinct(connection, table, resource)


def create_in_lake(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables that resources share, of which `SELDOM` have a row that the first read deletes.

    Of a table that never had a row, DuckLake (DuckDB 1.5.5) asks the catalog again for each column of each statement.
    """
    create_shared_tables(connection)
    for table in SELDOM:
        values = (f"'0'::{type_}" for _, type_, *_ in connection.execute(f"describe {table}").fetchall())
        connection.execute(f"insert into {table} values ({', '.join(values)})")


def keep_distinct(connection: duckdb.DuckDBPyConnection, table: str, resource: str, chosen: str = "true") -> None:
    """Makes one row of a resource's equal ones, within a transaction. `chosen`: the condition of rows to look at."""
    distinct = SQL[f"distinct_{table}"].format(chosen=chosen)
    connection.execute(f"create or replace temp table kept as {distinct}", {"resource": resource})
    connection.execute(f"delete from raw.{table} where resource = ? and {chosen}", [resource])
    connection.execute(f"insert into raw.{table} by name from temp.kept; drop table temp.kept")


def write_left_out(connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str) -> None:
    """Stores what a read left out, within the load's transaction."""
    columns = {name: [*map(attrgetter(name), report.rejected)] for name in ARROW.names}
    fields = {"field": pa.array(report.dropped_fields, pa.string())}
    found = {"rejected_records": pa.table(columns, schema=ARROW), "dropped_fields": pa.table(fields)}
    for table, rows in found.items():
        if len(rows):
            connection.register("found", rows)
            connection.execute(
                f"insert into raw.{table} by name select *, ? as resource, ? as _dlt_load_id from found",
                [report.resource, load_id],
            )
            keep_distinct(connection, table, report.resource, FOUND[table])  # all rows can be 100 MB
            connection.unregister("found")
    if report.rejected:
        connection.execute(SQL["surplus"], {"resource": report.resource, "most": MAX_REJECTED})


def prune_logs(connection: duckdb.DuckDBPyConnection, report: ReadReport, days: int) -> None:
    """Deletes a resource's rows of old loads, within a load's transaction, when the sync log has the load.

    Args:
        connection: The warehouse, for writing.
        report: The read that was loaded.
        days: The days that rows are kept; 0 keeps all.
    """
    if not days:
        return
    resource = {"resource": report.resource}
    began = min(filter(None, (report.started_at, report.answered_at)))  # one of the two clocks may be wrong
    limits = {"began": began, "days": days, "batch_days": BATCH_DAYS if is_lake(connection) else 0}
    found = connection.execute(SQL["old"], resource | limits).fetchall()
    if any(is_due for _, is_due in found):
        old = [load_id for load_id, _ in found]
        for table in LOG_TABLES:
            connection.execute(SQL["prune"].format(table=table), resource | {"old": old})


SIDE_LOADED = "raw.side_loaded"

SELDOM = (SIDE_LOADED, "raw.unconfirmed_reads", "raw.rejected_records", "raw.dropped_fields")
"""Tables in which most databases have no row."""


def create_side_loaded(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates `raw.side_loaded`, unless it exists."""
    connection.execute(SQL["create_side_loaded"])


def merge_side_loads(connection: duckdb.DuckDBPyConnection, side_loads: pa.Table, load_id: str) -> bool:
    """Adds the side-loaded records of a read, except those that a read had that began later.

    Several resources have the same users. The read that began last has the newest version.

    Args:
        connection: Within the load's transaction.
        side_loads: Columns `array_name`, `id` and `record`; each id once per array.
        load_id: The load id of the read.

    Returns:
        Whether any record is new or differs from the stored one.
    """
    if not len(side_loads):
        return False
    connection.register("side_loads", side_loads)
    [[other]] = connection.execute(SQL["other"], {"load_id": load_id}).fetchall()
    connection.execute(SQL["add"], {"load_id": load_id})
    connection.unregister("side_loads")
    return bool(other)


def delete_older(connection: duckdb.DuckDBPyConnection) -> None:
    """Deletes all rows of a side-loaded record but the newest, unless another load may be doing so.

    In a transaction of its own: in a lake it conflicts with loads that add rows, which conflict with nothing.
    """
    if not is_shared(connection, SIDE_LOADED):
        committed(connection, lambda: connection.execute(SQL["delete_older"]))
