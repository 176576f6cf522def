"""How the statements of models are run: views, tables, incremental models and seeds."""

from collections.abc import Mapping

import duckdb

from crm_assets.errors import ModelError
from crm_assets.runner.column_types import columns_of, common_types, require
from crm_assets.runner.model import Model
from crm_assets.runner.seeds import UNCLOSED
from crm_assets.runner.snapshots import take_snapshot
from crm_assets.runner.templates import statements
from crm_assets.warehouse.lake_sql import with_lake_types
from crm_assets.warehouse.names import identifier

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


def materialize(
    connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool
) -> tuple[str, int | None]:
    """Makes or changes a model's table or view, in a transaction.

    Returns a SELECT of the rows that it has then, which finds them after a rollback, too, and how many a table has that
    it has created. Of a snapshot the SELECT lacks the ends of rows that are closed now.

    Args:
        connection: The warehouse, for writing.
        model: The model.
        select: Its SELECT. `explained` relies on exactly one line before its first line.
        keep_rows: Whether there are earlier rows to keep.

    Raises:
        duckdb.Error: DuckDB refused the SQL.
        ModelError: A seed's file cannot be read, or no type holds both earlier and new values.
    """
    if model.materialized == "snapshot":
        return take_snapshot(connection, model, select, keep_rows=keep_rows), None
    if model.materialized == "incremental" and model.unique_key:
        require(model, {"unique_key": model.unique_key}, columns_of(connection, f"(\n{select}\n)"))
    if model.materialized == "seed":
        connection.execute("drop table if exists temp.reject_errors; drop table if exists temp.reject_scans")
    new = _merged(connection, model, select) if keep_rows else _agreed(connection, model, select)
    if model.kind == "table":
        new = with_lake_types(connection, new)
    created = connection.execute(f"create or replace {model.kind} {model.relation} as {new}").fetchall()
    if model.materialized == "seed":
        _refuse_rejected_lines(connection, model)
    return new, created[0][0] if model.kind == "table" else None


def _agreed(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> str:
    """A SELECT with the columns of a table in the order of its contract, as dbt has them. Others fail the contract."""
    agreed = model.contract if model.materialized in {"table", "incremental"} else None
    if not agreed or agreed.keys() != columns_of(connection, f"(\n{select}\n)").keys():
        return f"\n{select}"
    return f"select {', '.join(map(identifier, agreed))} from (\n{select}\n)"


def _merged(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> str:
    """Earlier rows and new ones, as `statements/incremental.sql` says."""
    stored = columns_of(connection, model.relation)
    require(model, {"unique_key": model.unique_key}, stored, "table")
    common_types(connection, model, with_lake_types(connection, f"\n{select}"))
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
