"""How the statements of models are run: views, tables, incremental models, seeds and snapshots.

Snapshots are the history of records, in the format of dbt 1.11. A snapshot compares the result of its SELECT with the
rows that are still valid. If a record changed, its row is closed (`dbt_valid_to`) and a new row added; a new record
gets a row, and the row of a deleted record is closed if `hard_deletes` says so. Rows are added and closed in the
build's transaction, and the table is never rebuilt. A second build without changes changes nothing.

A row is valid from the record's `updated_at`, if the strategy has one and if it is later than all that is known of
the record, otherwise from the time of the build. dbt goes by `updated_at` alone: a deleted record that returns
unchanged then gets the id and the time of its earlier row, so that two rows share one id.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from crm_assets.errors import ModelError
from crm_assets.runner.model import DBT_COLUMNS, Model
from crm_assets.runner.seeds import UNCLOSED
from crm_assets.runner.templates import statements
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier
from crm_assets.yaml_files import line_of

REASONS: Mapping[str, str] = {
    "CAST": "the value does not have type {type}: correct the value, or the type in column_types",
    "MISSING COLUMNS": "the line has fewer values than the header: add the missing ones, or commas for empty ones",
    "TOO MANY COLUMNS": "the line has more values than the header: quote text that contains a comma",
    "UNQUOTED VALUE": UNCLOSED,
    "INVALID ENCODING": "it is not UTF-8: save the file as UTF-8",
    "LINE SIZE OVER MAXIMUM": "the line is too long: a quote may not be closed",
}
"""Error type of DuckDB's CSV reader -> what is wrong, and what to do."""

REJECTED = "select line, column_idx, column_name, error_type::varchar from reject_errors order by all limit 1"


def materialize(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> int | None:
    """Makes or changes a model's table or view, in a transaction. Returns the rows of a table that it has created.

    Args:
        connection: The warehouse, for writing.
        model: The model.
        select: Its SELECT. `explained` relies on exactly one line before its first line.
        keep_rows: Whether there are earlier rows to keep.

    Raises:
        duckdb.Error: DuckDB refused the SQL.
        ModelError: A seed's file cannot be read.
    """
    if model.materialized == "snapshot":
        _take_snapshot(connection, model, select, keep_rows=keep_rows)
        return None
    if model.materialized == "incremental" and model.unique_key:
        _require(model, {"unique_key": model.unique_key}, columns_of(connection, f"(\n{select}\n)"))
    if model.materialized == "seed":
        connection.execute("drop table if exists temp.reject_errors; drop table if exists temp.reject_scans")
    new = _merged(connection, model, select) if keep_rows else f"\n{select}"
    if model.kind == "table":
        new = with_lake_types(connection, new)
    created = connection.execute(f"create or replace {model.kind} {model.relation} as {new}").fetchall()
    if model.materialized == "seed":
        _refuse_rejected_lines(connection, model)
    return created[0][0] if model.kind == "table" else None


def _require(model: Model, named: Mapping[str, Sequence[str]], columns: Iterable[str], where: str = "SELECT") -> None:
    """Checks that columns which the configuration names are there: DuckDB's message would be about its own statement.

    Raises:
        ModelError: One is missing.
    """
    known = {column.lower() for column in columns}
    for key, name in [(key, name) for key, names in named.items() for name in names]:
        if str(name).lower() not in known:
            at = line_of(model.properties) if model.path == model.properties_path else 1
            remedy = "correct the name" if where == "SELECT" else "rebuild it with full_refresh"
            raise ModelError(f"{model.path}:{at}: {key} names {name}, but the {where} has no such column: {remedy}")


def _merged(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> str:
    """Earlier rows and new ones, as `statements/incremental.sql` says."""
    stored = columns_of(connection, model.relation)
    _require(model, {"unique_key": model.unique_key}, stored, "table")
    strategy, kept = model.config.get("incremental_strategy"), list[str]()
    if strategy == "merge":
        new = {column.lower() for column in columns_of(connection, f"(\n{select}\n)")}
        kept = [identifier(column) for column in stored if column.lower() not in new]
    key = [*map(identifier, model.unique_key)]
    return str(statements()["incremental_rows"](model.relation, select, key, kept, strategy))


def _refuse_rejected_lines(connection: duckdb.DuckDBPyConnection, seed: Model) -> None:
    if found := connection.execute(REJECTED).fetchone():
        line, position, column, kind = found
        wanted = (seed.config.get("column_types") or {}).get(column or "", "the one found for the column")
        problem = REASONS.get(kind, "the line cannot be read: compare it with other lines").format(type=wanted)
        raise ModelError(f"{seed.path}:{line}: column {column or position}: {problem}")


def _take_snapshot(connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool) -> None:
    """Adds changes to a snapshot's table, or creates it. `statements/snapshot.sql` has the statements."""
    connection.execute(f"create or replace temp table snapshot_source as\n{select}")
    columns = columns_of(connection, "snapshot_source")
    # Those that are called like the snapshot's own are dropped.
    for column in [column for column in columns if column.lower() in DBT_COLUMNS]:
        connection.execute(f"alter table snapshot_source drop column {identifier(column)}")
        del columns[column]
    connection.execute(f"set variable snapshot_time = {_time(model, keep_rows=keep_rows)}")
    described = _for_macros(model, columns)
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
    else:
        first = with_lake_types(connection, statements()["snapshot_rows"](described))
        connection.execute(f"create or replace table {model.relation} as {first}")
    connection.execute("drop table temp.snapshot_source")


def _for_macros(model: Model, columns: dict[str, str]) -> dict[str, Any]:
    """What the macros need to know, with quoted names."""
    config, checked = model.config, model.config.get("check_cols") or []
    by_time, updated_at = config["strategy"] == "timestamp", config.get("updated_at")
    compared = [] if by_time else [*columns] if checked == "all" else checked
    named = {"unique_key": model.unique_key, "updated_at": [updated_at] if updated_at else [], "check_cols": compared}
    _require(model, named, columns)
    return {
        "this": model.relation,
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


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a table or subquery with their types."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe from {relation}").fetchall()}
