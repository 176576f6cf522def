"""Snapshots: the history of records, in the format of dbt 1.11.

A snapshot compares the result of its SELECT with the rows that are still valid. If a record changed, its row is closed
(`dbt_valid_to`) and a new row added; a new record gets a row, and the row of a deleted record is closed if
`hard_deletes` says so. Rows are added and closed in the build's transaction, and the table is never rebuilt. A second
build without changes changes nothing.

A row is valid from the record's `updated_at`, if the strategy has one and if it is later than all that is known of the
record, otherwise from the time of the build. dbt goes by `updated_at` alone: a deleted record that returns unchanged
then gets the id and the time of its earlier row, so that two rows share one id.
"""

from collections.abc import Iterable, Mapping

import duckdb

from crm_assets.runner.model import DBT_COLUMNS, Model
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier

NOW = "getvariable('snapshot_time')::timestamp"
"""The time of the build in UTC, from `_time`."""

SOURCE, CLOSED, OPENED = "snapshot_source", "snapshot_closed", "snapshot_opened"
"""Temporary tables: the current records, the ids of rows to close, the rows to add."""


def take_snapshot(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> None:
    """Adds changes to a snapshot's table, or creates it."""
    connection.execute(f"create or replace temp table {SOURCE} as\n{select}")
    source = _source_columns(connection)
    connection.execute(f"set variable snapshot_time = {_time(model, keep_rows=keep_rows)}")
    if keep_rows:
        _add_changes(connection, model, source)
    else:
        first = f"select source.*, {_opening(model, source)} from {SOURCE} as source"
        connection.execute(f"create or replace table {model.relation} as {with_lake_types(connection, first)}")
    connection.execute(f"drop table temp.{SOURCE}")


def _time(model: Model, *, keep_rows: bool) -> str:
    """Now, but later than the times of earlier builds: they order a record's rows, and a clock may have been wrong."""
    now = "now() at time zone 'UTC'"
    if not keep_rows or model.config.get("updated_at"):
        return now
    latest = f"select max(greatest(dbt_valid_from, dbt_valid_to)) from {model.relation}"
    return f"greatest({now}, ({latest}) + interval 1 microsecond)"


def _source_columns(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The current records' columns and types. Those that are called like the snapshot's own are dropped."""
    columns = columns_of(connection, SOURCE)
    for column in [column for column in columns if column.lower() in DBT_COLUMNS]:
        connection.execute(f"alter table {SOURCE} drop column {identifier(column)}")
        del columns[column]
    return columns


def _add_changes(connection: duckdb.DuckDBPyConnection, model: Model, source: Mapping[str, str]) -> None:
    stored = columns_of(connection, model.relation)
    # Earlier rows have null in a new column. dbt counts one that is compared as a change of every record.
    for column in [column for column in source if column not in stored]:
        connection.execute(f"alter table {model.relation} add column {identifier(column)} {source[column]}")
    connection.execute(f"create or replace temp table {OPENED} as {_opened(model, source)}")
    connection.execute(f"create or replace temp table {CLOSED} as {_closed(model)}")
    connection.execute(
        f"update {model.relation} as stored set dbt_valid_to = closed.valid_to from {CLOSED} as closed "
        "where stored.dbt_scd_id = closed.dbt_scd_id and stored.dbt_valid_to is null"
    )
    connection.execute(f"insert into {model.relation} by name select * from {OPENED}")
    connection.execute(f"drop table temp.{CLOSED}; drop table temp.{OPENED}")


def _opening(model: Model, source: Mapping[str, str], is_later: str = "true") -> str:
    """Dbt's columns of a new row.

    Args:
        model: The snapshot.
        source: The records' columns and types.
        is_later: Whether a record's `updated_at` is later than all that is known of the record.
    """
    key = [f"source.{identifier(column)}" for column in model.unique_key]
    at = since = NOW
    if column := model.config.get("updated_at"):
        updated_at = f"source.{identifier(column)}"
        is_later = f"{updated_at} is not null and {is_later}"
        at = f"case when {is_later} then cast({updated_at} as varchar) else cast({NOW} as varchar) end"
        since = f"case when {is_later} then {updated_at} else try_cast({NOW} as {source[column]}) end"
    else:
        updated_at = NOW
    deleted = ", 'False' as dbt_is_deleted" if _marks_deleted(model) else ""
    return (
        f"{_hash([*key, at])} as dbt_scd_id, {updated_at} as dbt_updated_at, {since} as dbt_valid_from, "
        f"nullif({since}, {since}) as dbt_valid_to{deleted}"
    )


def _opened(model: Model, source: Mapping[str, str]) -> str:
    """The rows to add: of new and changed records, and of deleted ones if these get a row."""
    key = ", ".join(map(identifier, model.unique_key))
    is_later = "true"
    if column := model.config.get("updated_at"):
        is_later = f"coalesce(source.{identifier(column)} > known.last, true)"
    rows = (
        f"select source.*, {_opening(model, source, is_later)} "
        f"from {SOURCE} as source left join {_current(model)} as current on {_same(model, 'current')} "
        f"left join (select {key}, max(greatest(dbt_valid_from, dbt_valid_to)) as last "
        f"from {model.relation} group by {key}) as known on {_same(model, 'known')} "
        f"where current.{identifier(model.unique_key[0])} is null or {_changed(model, source)}"
    )
    if not _marks_deleted(model):
        return rows
    columns = ", ".join(f"current.{identifier(column)}" for column in source)
    return (
        f"{rows} union all by name select {columns}, {_hash(['current.dbt_scd_id', NOW])} as dbt_scd_id, "
        f"{NOW} as dbt_updated_at, {NOW} as dbt_valid_from, null as dbt_valid_to, 'True' as dbt_is_deleted "
        f"{_gone(model)}"
    )


def _closed(model: Model) -> str:
    """The rows to close: of records that get another row, and of deleted ones that get none."""
    rows = (
        "select current.dbt_scd_id, source.dbt_valid_from as valid_to "
        f"from {_current(model)} as current join {OPENED} as source on {_same(model, 'current')}"
    )
    if model.config.get("hard_deletes") != "invalidate":
        return rows
    return f"{rows} union all select current.dbt_scd_id, {NOW} {_gone(model)}"


def _gone(model: Model) -> str:
    marked = " where current.dbt_is_deleted <> 'True'" if _marks_deleted(model) else ""
    return f"from {_current(model)} as current anti join {SOURCE} as source on {_same(model, 'current')}{marked}"


def _changed(model: Model, source: Iterable[str]) -> str:
    if model.config["strategy"] == "timestamp":
        updated_at = f"source.{identifier(model.config['updated_at'])}"
        changed = f"coalesce({updated_at} > current.dbt_updated_at, {updated_at} is not null)"
    else:
        chosen = model.config["check_cols"]
        checked = list(source) if chosen == "all" else list(chosen)
        changed = " or ".join(f"current.{identifier(c)} is distinct from source.{identifier(c)}" for c in checked)
    return f"({changed} or current.dbt_is_deleted = 'True')" if _marks_deleted(model) else f"({changed})"


def _current(model: Model) -> str:
    return f"(select * from {model.relation} where dbt_valid_to is null)"


def _same(model: Model, table: str) -> str:
    return " and ".join(f"{table}.{identifier(column)} = source.{identifier(column)}" for column in model.unique_key)


def _marks_deleted(model: Model) -> bool:
    return bool(model.config.get("hard_deletes") == "new_record")


def _hash(values: Iterable[str]) -> str:
    """Dbt's hash of values."""
    return "md5(" + " || '|' || ".join(f"coalesce(cast({value} as varchar), '')" for value in values) + ")"


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a table or subquery with their types."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe from {relation}").fetchall()}
