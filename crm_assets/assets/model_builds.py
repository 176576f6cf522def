"""Building a model in DuckDB: aside and swapped in one transaction, so that nobody ever sees half a table."""

import re

import duckdb

from crm_assets.assets.model_files import Model


class ModelError(Exception):
    """A model's SQL could not be run. Tells the file, the line and DuckDB's reason."""


def build(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Replaces the model's view or table by what its SELECT gives now; an incremental one replaces rows by its key.

    Raises:
        ModelError: DuckDB refused the SQL. The table is as it was.
    """
    connection.execute("begin")
    try:
        connection.execute(f'create schema if not exists "{model.folder}"')
        _drop_if_other_kind(connection, model)
        if model.materialized == "incremental" and _kind(connection, model) == "table":
            _replace_rows(connection, model)
        else:
            kind = "view" if model.materialized == "view" else "table"
            connection.execute(f"create or replace {kind} {_name(model)} as\n{model.sql}")
        connection.execute("commit")
    except duckdb.Error as error:
        connection.execute("rollback")
        raise ModelError(explained(model, error)) from None


def explained(model: Model, error: duckdb.Error) -> str:
    """DuckDB's message with the model's file and line in place of the statement's."""
    text = str(error)
    line = re.search(r"LINE (\d+):", text)
    where = f"{model.path}:{max(1, int(line[1]) - 1)}" if line else str(model.path)
    missing = re.search(r"Table with name (\w+) does not exist|schema \"?(\w+)\"? does not exist", text)
    advice = " Materialize the assets it depends on first." if missing else ""
    return f"{where}: {text.partition('LINE ')[0].strip()}{advice}"


def _name(model: Model) -> str:
    return f'"{model.folder}"."{model.name}"'


def _kind(connection: duckdb.DuckDBPyConnection, model: Model) -> str | None:
    found = connection.execute(
        "select table_type from information_schema.tables where table_schema = ? and table_name = ?",
        [model.folder, model.name],
    ).fetchone()
    if found is None:
        return None
    return "view" if found[0] == "VIEW" else "table"


def _drop_if_other_kind(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    kind = _kind(connection, model)
    wanted = "view" if model.materialized == "view" else "table"
    if kind not in {None, wanted}:
        connection.execute(f"drop {kind} {_name(model)}")


def _replace_rows(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    key = f'"{model.unique_key}"'
    connection.execute(f"create or replace temp table new_rows as\n{model.sql}")
    _add_new_columns(connection, model)
    connection.execute(f"delete from {_name(model)} where {key} in (select {key} from new_rows)")
    connection.execute(f"insert into {_name(model)} by name select * from new_rows")
    connection.execute("drop table new_rows")


def _add_new_columns(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Earlier rows stay when a model gets a column; they have null in it."""
    existing = {row[0] for row in connection.execute(f"describe {_name(model)}").fetchall()}
    for name, type_, *_ in connection.execute("describe new_rows").fetchall():
        if name not in existing:
            connection.execute(f'alter table {_name(model)} add column "{name}" {type_}')
