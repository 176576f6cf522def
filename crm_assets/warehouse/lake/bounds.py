"""Computes the smallest and largest value of each column, in a lake's catalog, from those of its files.

DuckLake only widens these bounds, so they keep deleted values. When it rewrites files, it can also lose them; the next
insert then sets them to those of the new rows, and queries miss older rows.
"""

from collections.abc import Mapping
from functools import partial

import duckdb

from crm_assets.warehouse.transactions import committed

COMPARED_AS: Mapping[str, str] = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"), "hugeint"),
    **dict.fromkeys(("float32", "float64"), "double"),
    "boolean": "boolean",
    "date": "date",
    "time": "time",
    "timestamptz": "timestamptz",
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "timestamp"),
}
"""Type of a column in the catalog -> the type that orders its bounds, which are texts. Others are ordered as texts."""

TYPES = "select distinct column_type from {catalog}.ducklake_column where end_snapshot is null"

BOUNDS = """
select
    columns.table_id,
    columns.column_id,
    arg_min(in_file.min_value, try_cast(in_file.min_value as {type})) as min_value,
    arg_max(in_file.max_value, try_cast(in_file.max_value as {type})) as max_value
from {catalog}.ducklake_column as columns
left join {catalog}.ducklake_file_column_stats as in_file
    on
        columns.table_id = in_file.table_id
        and columns.column_id = in_file.column_id
        and in_file.data_file_id in (select data_file_id from {catalog}.ducklake_data_file where end_snapshot is null)
where columns.end_snapshot is null and columns.column_type = {named}
group by columns.table_id, columns.column_id
having
    bool_and(
        coalesce(in_file.value_count, 0) = 0
        or (try_cast(in_file.min_value as {type}) is not null and try_cast(in_file.max_value as {type}) is not null)
    )
"""
"""Bounds of the columns of one type. Left out are columns of which a file has values, but not their bounds."""

RENEWED = """
update {catalog}.ducklake_table_column_stats as stored
set min_value = renewed.min_value, max_value = renewed.max_value
from ({bounds}) as renewed
where
    stored.table_id = renewed.table_id
    and stored.column_id = renewed.column_id
    and (stored.min_value is distinct from renewed.min_value or stored.max_value is distinct from renewed.max_value)
"""

OF_DROPPED_COLUMNS = """
delete from {catalog}.ducklake_table_column_stats
where
    (table_id, column_id) not in (
        select (table_id, column_id) from {catalog}.ducklake_column where end_snapshot is null
    )
"""


def renew_bounds(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    """Recomputes all bounds. No table may have rows in the catalog instead of in files.

    Args:
        connection: A connection with the lock of the whole lake.
        catalog: The quoted schema of the catalog's own tables.
    """
    committed(connection, partial(_renew, connection, catalog))


def _renew(connection: duckdb.DuckDBPyConnection, catalog: str) -> None:
    connection.execute(OF_DROPPED_COLUMNS.format(catalog=catalog))
    for (named,) in connection.execute(TYPES.format(catalog=catalog)).fetchall():
        type_ = named if named.startswith("decimal") else COMPARED_AS.get(named, "varchar")
        bounds = BOUNDS.format(catalog=catalog, type=type_, named=f"'{named}'")
        connection.execute(RENEWED.format(catalog=catalog, bounds=bounds))
