"""Snapshots: the history of records, in the format of dbt 1.11.

A snapshot compares the result of its SELECT with the rows that are still valid. If a record changed, its row is closed
(`dbt_valid_to`) and a new row added; a new record gets a row, and the row of a deleted record is closed if
`hard_deletes` says so. Rows are added and closed in the build's transaction, and the table is never rebuilt. A second
build without changes changes nothing.

A row is valid from the record's `updated_at`, if the strategy has one and if it is later than all that is known of
the record, otherwise from the time of the build. dbt goes by `updated_at` alone: a deleted record that returns
unchanged then gets the id and the time of its earlier row, so that two rows share one id.
"""

from typing import Any

import duckdb

from crm_assets.runner.column_types import columns_of, common_types, require, retype
from crm_assets.runner.model import DBT_COLUMNS, Model
from crm_assets.runner.templates import statements
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier


def take_snapshot(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> str:
    """Adds changes to a snapshot's table, or creates it. `statements/snapshot.sql` has the statements."""
    source = with_lake_types(connection, f"\n{select}")
    connection.execute(f"create or replace temp table snapshot_source as {source}")
    columns = columns_of(connection, "snapshot_source")
    # Those that are called like the snapshot's own are dropped.
    for column in [column for column in columns if column.lower() in DBT_COLUMNS]:
        connection.execute(f"alter table snapshot_source drop column {identifier(column)}")
        del columns[column]
    connection.execute(f"set variable snapshot_time = {_time(model, keep_rows=keep_rows)}")
    described = _for_macros(model, columns)
    if keep_rows:
        types = common_types(connection, model, statements()["snapshot_types"](described))
        for table in (model.relation, "temp.snapshot_source"):
            retype(connection, table, types)
        described = _for_macros(model, columns_of(connection, "snapshot_source"))
    listed = ", ".join(f"{c}::{type_} as {c}" for c, type_ in described["columns"].items())
    again = {**described, "source": f"(select {listed} from ({source}\n))"}
    if keep_rows:
        # Earlier rows have null in a new column. dbt counts one that is compared as a change of every record.
        stored = {column.lower() for column in columns_of(connection, model.relation)}
        for column in [column for column in columns if column.lower() not in stored]:
            connection.execute(f"alter table {model.relation} add column {identifier(column)} {columns[column]}")
        for changes in ("snapshot_opened", "snapshot_closed"):
            connection.execute(f"create or replace temp table {changes} as {statements()[changes](described)}")
        connection.execute(
            f"update {model.relation} as stored set dbt_valid_to = closed.valid_to from snapshot_closed as closed "
            "where stored.dbt_scd_id = closed.dbt_scd_id and stored.dbt_valid_to is null"
        )
        connection.execute(f"insert into {model.relation} by name select * from snapshot_opened")
        connection.execute("drop table temp.snapshot_closed; drop table temp.snapshot_opened")
        made = f"select * from {model.relation} union all by name ({statements()['snapshot_opened'](again)})"
    else:
        first = statements()["snapshot_rows"](described)
        connection.execute(f"create or replace table {model.relation} as {first}")
        made = statements()["snapshot_rows"](again)
    connection.execute("drop table temp.snapshot_source")
    return made


def _for_macros(model: Model, columns: dict[str, str]) -> dict[str, Any]:
    """What the macros need to know, with quoted names."""
    config, checked = model.config, model.config.get("check_cols") or []
    by_time, updated_at = config["strategy"] == "timestamp", config.get("updated_at")
    # Names may be written in another case of letters.
    updated_at = next((column for column in columns if column.lower() == str(updated_at).lower()), updated_at)
    compared = [] if by_time else [*columns] if checked == "all" else checked
    named = {"unique_key": model.unique_key, "updated_at": [updated_at] if updated_at else [], "check_cols": compared}
    require(model, named, columns)
    return {
        "this": model.relation,
        "source": "snapshot_source",
        "key": [*map(identifier, model.unique_key)],
        "columns": {identifier(column): type_ for column, type_ in columns.items()},
        "updated_at": identifier(updated_at) if updated_at else None,
        "checked": [*map(identifier, compared)],
        "hard_deletes": config.get("hard_deletes"),
    }


def _time(model: Model, *, keep_rows: bool) -> str:
    """Now, but later than the times of earlier builds: they order a record's rows, and a clock may have been wrong."""
    now = "now() at time zone 'UTC'"
    if not keep_rows or model.config.get("updated_at"):
        return now
    latest = f"select max(greatest(dbt_valid_from, dbt_valid_to)) from {model.relation}"
    return f"greatest({now}, ({latest}) + interval 1 microsecond)"
