"""Snapshots: the history of records, in the format of dbt 1.11.

A snapshot compares the result of its SELECT with the rows that are still valid. If a record changed, its row is closed
(`dbt_valid_to`) and a new row added; a new record gets a row, and the row of a deleted record is closed if
`hard_deletes` says so. Rows are added and closed in the build's transaction, and the table is never rebuilt. A second
build without changes changes nothing.
"""

from collections.abc import Iterable, Sequence

import duckdb

from crm_assets.sql_models.data_test_runs import quoted
from crm_assets.sql_models.model import Model
from crm_assets.sql_models.timezone import with_timezone
from crm_assets.warehouse.storable import storable

NOW = "(now() at time zone 'UTC')"
"""The time of the build, constant within its transaction."""

SOURCE, CLOSED, OPENED = "snapshot_source", "snapshot_closed", "snapshot_opened"
"""Temporary tables: the current records, the ids of rows to close, the rows to add."""


def take_snapshot(connection: duckdb.DuckDBPyConnection, model: Model, *, going_on: bool) -> None:
    """Adds changes to a snapshot's table, or creates it."""
    select = with_timezone(connection, model.select)
    if not going_on:
        first = storable(connection, f"{_first(model)}(\n{select}\n)")
        connection.execute(f"create or replace table {model.relation} as {first}")
        return
    connection.execute(f"create or replace temp table {SOURCE} as\n{select}")
    source, stored = _columns(connection, SOURCE), _columns(connection, model.relation)
    added = [column for column in source if column not in stored]
    for column in added:
        connection.execute(f"alter table {model.relation} add column {quoted(column)} {source[column]}")
    changed = _changed(model, source, added)
    connection.execute(f"create or replace temp table {CLOSED} as {_closed(model, changed)}")
    connection.execute(f"create or replace temp table {OPENED} as {_opened(model, changed, source)}")
    connection.execute(
        f"update {model.relation} as stored set dbt_valid_to = closed.valid_to from {CLOSED} as closed "
        "where stored.dbt_scd_id = closed.dbt_scd_id and stored.dbt_valid_to is null"
    )
    connection.execute(f"insert into {model.relation} by name select * from {OPENED}")
    connection.execute("; ".join(f"drop table temp.{table}" for table in (SOURCE, CLOSED, OPENED)))


def _first(model: Model) -> str:
    deleted = ", 'False' as dbt_is_deleted" if _marks_deleted(model) else ""
    return f"select *, {_history(model, '')}{deleted} from "


def _history(model: Model, table: str) -> str:
    """Dbt's columns of a new row."""
    at = _updated_at(model, table)
    key = [f"{table}{quoted(column)}" for column in model.unique_key]
    return (
        f"{_hash([*key, at])} as dbt_scd_id, {at} as dbt_updated_at, {at} as dbt_valid_from, "
        f"nullif({at}, {at}) as dbt_valid_to"
    )


def _closed(model: Model, changed: str) -> str:
    """The rows to close: of changed records, and of deleted ones."""
    rows = (
        f"select current.dbt_scd_id, {_updated_at(model, 'source.')} as valid_to "
        f"from {_current(model)} as current join {SOURCE} as source on {_same(model)} where {changed}"
    )
    if model.config.get("hard_deletes", "ignore") == "ignore":
        return rows
    return f"{rows} union all select current.dbt_scd_id, {NOW} {_gone(model)}"


def _opened(model: Model, changed: str, source: Iterable[str]) -> str:
    """The rows to add: of new and changed records, and of deleted ones if these get a row."""
    marks = _marks_deleted(model)
    key = quoted(model.unique_key[0])
    deleted = ", 'False' as dbt_is_deleted" if marks else ""
    rows = (
        f"select source.*, {_history(model, 'source.')}{deleted} "
        f"from {SOURCE} as source left join {_current(model)} as current on {_same(model)} "
        f"where current.{key} is null or {changed}"
    )
    if not marks:
        return rows
    columns = ", ".join(f"current.{quoted(column)}" for column in source)
    return (
        f"{rows} union all by name select {columns}, {_hash(['current.dbt_scd_id', NOW])} as dbt_scd_id, "
        f"{NOW} as dbt_updated_at, {NOW} as dbt_valid_from, null as dbt_valid_to, 'True' as dbt_is_deleted "
        f"{_gone(model)}"
    )


def _gone(model: Model) -> str:
    marked = " where current.dbt_is_deleted <> 'True'" if _marks_deleted(model) else ""
    return f"from {_current(model)} as current anti join {SOURCE} as source on {_same(model)}{marked}"


def _changed(model: Model, source: Iterable[str], added: Sequence[str]) -> str:
    if model.config["strategy"] == "timestamp":
        changed = f"current.dbt_valid_from < {_updated_at(model, 'source.')}"
    else:
        chosen = model.config["check_cols"]
        checked = list(source) if chosen == "all" else list(chosen)
        differences = [f"current.{quoted(c)} is distinct from source.{quoted(c)}" for c in checked]
        # As in dbt, a new compared column counts as a change of every record.
        changed = "true" if set(checked) & set(added) else " or ".join(differences)
    return f"({changed} or current.dbt_is_deleted = 'True')" if _marks_deleted(model) else f"({changed})"


def _updated_at(model: Model, table: str) -> str:
    column = model.config.get("updated_at")
    return f"{table}{quoted(str(column))}" if column else NOW


def _current(model: Model) -> str:
    return f"(select * from {model.relation} where dbt_valid_to is null)"


def _same(model: Model) -> str:
    return " and ".join(f"current.{quoted(column)} = source.{quoted(column)}" for column in model.unique_key)


def _marks_deleted(model: Model) -> bool:
    return bool(model.config.get("hard_deletes") == "new_record")


def _hash(values: Iterable[str]) -> str:
    """Dbt's hash of values."""
    return "md5(" + " || '|' || ".join(f"coalesce(cast({value} as varchar), '')" for value in values) + ")"


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    return {name: type_ for name, type_, *_ in connection.execute(f"describe {table}").fetchall()}
