"""How the statements of models are run: views, tables, incremental models, seeds and snapshots."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from crm_assets.errors import ModelError, counted
from crm_assets.runner.model import DBT_COLUMNS, Model
from crm_assets.runner.templates import statements
from crm_assets.warehouse.tables import columns_of, identifier, literal, with_lake_types
from crm_assets.yaml_files import line_of


def require(model: Model, named: Mapping[str, Sequence[str]], columns: Iterable[str], where: str = "SELECT") -> None:
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


def common_types(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> dict[str, str]:
    """Columns that have other types in earlier rows than in new ones -> a type that holds the values of both.

    Raises:
        ModelError: DuckDB's common type would change a value, such as a DOUBLE one of 9007199254740993.
    """
    sides = {"earlier": model.this, "new": f"({select}\n)"}
    earlier, new = ({name.lower(): type_ for name, type_ in columns_of(connection, s).items()} for s in sides.values())
    if not (changed := [name for name, type_ in new.items() if earlier.get(name, type_) != type_]):
        return {}
    listed = ", ".join(map(identifier, changed))
    both = " union all by name ".join(f"select {listed} from {side}" for side in sides.values())
    common = columns_of(connection, f"({both})")
    for (side, relation), types in zip(sides.items(), (earlier, new), strict=True):
        for name in changed:
            column, type_ = identifier(name), common[name]
            fitting = f"try_cast(try_cast({column} as {type_}) as {types[name]})"
            wrong = f"select count(*) from {relation} where {fitting} is distinct from {column}"
            [[count]] = connection.execute(wrong).fetchall()
            if count:
                raise ModelError(
                    f"{model.path}: column {name} is {earlier[name]} in earlier rows and {new[name]} in new ones. As "
                    f"{type_} {counted(count, f'{side} value')} would change: cast the column to the earlier type, or "
                    "to varchar; or rebuild the table without its earlier rows, with full_refresh: true"
                )
    return common


def retype(connection: duckdb.DuckDBPyConnection, table: str, types: dict[str, str]) -> None:
    """Gives columns other types, as far as the table has them."""
    stored = columns_of(connection, table)
    wrong = {name: types[name.lower()] for name, type_ in stored.items() if types.get(name.lower(), type_) != type_}
    if wrong:
        casts = ", ".join(f"{identifier(name)}::{type_} as {identifier(name)}" for name, type_ in wrong.items())
        temporary = "temp " if table.startswith("temp.") else ""
        connection.execute(f"create or replace {temporary}table {table} as select * replace ({casts}) from {table}")


def take_snapshot(
    connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool
) -> tuple[str, bool]:
    """Adds changes to a snapshot's table, or creates it, in the format of dbt 1.11.

    `statements/snapshot.sql` has the statements. The SELECT's rows are compared with those that are still valid. If a
    record changed, its row is closed (`dbt_valid_to`) and a new row added; a new record gets a row, and the row of a
    deleted record is closed if `hard_deletes` says so. A second build without changes changes nothing.

    A row is valid from the record's `updated_at`, if the strategy has one and if it is later than all that is known of
    the record, otherwise from the time of the build. dbt goes by `updated_at` alone: a deleted record that returns
    unchanged then gets the id and the time of its earlier row, so that two rows share one id.
    """
    # Fields that are called like the snapshot's own columns are left out.
    own = ", ".join(map(literal, sorted(DBT_COLUMNS)))
    source = f"select columns(lambda name: lower(name) not in ({own})) from (\n{select}\n)"
    source = with_lake_types(connection, source)
    connection.execute(f"create or replace temp table snapshot_source as {source}")
    columns = columns_of(connection, "snapshot_source")
    connection.execute(f"set variable snapshot_time = {_time(model, keep_rows=keep_rows)}")
    described = _for_macros(model, columns)
    if keep_rows:
        types = common_types(connection, model, statements()["snapshot_types"](described))
        for table in (model.this, "temp.snapshot_source"):
            retype(connection, table, types)
        described = _for_macros(model, columns_of(connection, "snapshot_source"))
    listed = ", ".join(f"{column}::{type_} as {column}" for column, type_ in described["columns"].items())
    again = {**described, "source": f"(select {listed} from ({source}\n))"}
    if not keep_rows:
        first = statements()["snapshot_rows"](described)
        connection.execute(f"create or replace table {model.this} as {first}; drop table temp.snapshot_source")
        return str(statements()["snapshot_rows"](again)), False
    # Earlier rows have null in a new column. dbt counts one that is compared as a change of every record.
    stored = {column.lower() for column in columns_of(connection, model.this)}
    added = [column for column in columns if column.lower() not in stored]
    for column in added:
        connection.execute(f"alter table {model.this} add column {identifier(column)} {columns[column]}")
    for changes in ("snapshot_opened", "snapshot_closed"):
        connection.execute(f"create or replace temp table {changes} as {statements()[changes](described)}")
    connection.execute(
        f"update {model.this} as stored set dbt_valid_to = closed.valid_to from snapshot_closed as closed "
        "where stored.dbt_scd_id = closed.dbt_scd_id and stored.dbt_valid_to is null"
    )
    connection.execute(f"insert into {model.this} by name select * from snapshot_opened")
    connection.execute(
        "drop table temp.snapshot_source; drop table temp.snapshot_opened; drop table temp.snapshot_closed"
    )
    return f"select * from {model.this} union all by name ({statements()['snapshot_opened'](again)})", not added


def _for_macros(model: Model, columns: dict[str, str]) -> dict[str, Any]:
    """What the macros need to know, with quoted names."""
    config, checked = model.config, model.config.get("check_cols") or []
    by_time, updated_at = config["strategy"] == "timestamp", config.get("updated_at")
    # Names may be written in another case of letters.
    updated_at = next((column for column in columns if column.lower() == str(updated_at).lower()), updated_at)
    compared = [*columns] if checked == "all" else [checked] if isinstance(checked, str) else checked
    compared = [] if by_time else compared
    named = {"unique_key": model.unique_key, "updated_at": [updated_at] if updated_at else [], "check_cols": compared}
    require(model, named, columns)
    return {
        "this": model.this,
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
    latest = f"select max(greatest(dbt_valid_from, dbt_valid_to)) from {model.this}"
    return f"greatest({now}, ({latest}) + interval 1 microsecond)"


def materialize(
    connection: duckdb.DuckDBPyConnection, model: Model, select: str, *, keep_rows: bool, same: bool
) -> tuple[str, bool, int | None]:
    """Makes or changes a model's table or view, in a transaction.

    Returns a SELECT of the rows that it has then, which finds them after a rollback, too; whether its columns have
    kept their comments; and the number of rows, if DuckDB returned it. Of a snapshot the SELECT lacks the ends of rows
    that are closed now.

    Args:
        connection: The warehouse, for writing.
        model: The model.
        select: Its SELECT. `explained` relies on exactly one line before its first line.
        keep_rows: Whether there are earlier rows to keep.
        same: Whether a lake has it with the same comments, and a view with the same SELECT. If its columns are the same
            as well, it is kept: after each change of the schema all processes read the whole catalog again.

    Raises:
        duckdb.Error: DuckDB refused the SQL.
        ModelError: The SELECT breaks the model's contract, or no type holds both earlier and new values.
    """
    if model.materialized == "snapshot":
        return *take_snapshot(connection, model, select, keep_rows=keep_rows), None
    new = f"\n{select}"
    if model.contract is not None:
        _check_contract(connection, model, model.contract, select)
        if model.kind == "table":  # dbt has the columns in the contract's order
            new = f"select {', '.join(map(identifier, model.contract))} from (\n{select}\n)"
    if model.materialized == "incremental" and model.unique_key:
        require(model, {"unique_key": model.unique_key}, columns_of(connection, f"(\n{select}\n)"))
    if keep_rows:
        new = _merged(connection, model, select)
    if model.kind == "table":
        new = with_lake_types(connection, new)
    same = same and not keep_rows and columns_of(connection, model.this) == columns_of(connection, f"({new}\n)")
    made: list[tuple[int]] = []
    if not same:
        made = connection.execute(f"create or replace {model.kind} {model.this} as {new}").fetchall()
    elif model.kind == "table":
        connection.execute(f"truncate {model.this}")
        made = connection.execute(f"insert into {model.this} {new}").fetchall()
    return new, same, made[0][0] if made else None


def _check_contract(
    connection: duckdb.DuckDBPyConnection, model: Model, contract: Mapping[str, str | None], select: str
) -> None:
    written = ", ".join(f"null::{type_} as {identifier(name)}" for name, type_ in contract.items())
    agreed, made = columns_of(connection, f"(select {written})"), columns_of(connection, f"(\n{select}\n)")
    if differences := [
        f"{name} is {made.get(name, 'missing')}, not {agreed.get(name, 'there')}"
        for name in {**agreed, **made}
        if agreed.get(name) != made.get(name)
    ]:
        at = f"{model.properties_path}:{line_of(model.properties)}"
        raise ModelError(f"{at}: {model.name} breaks its contract: {'; '.join(differences)}")


def _merged(connection: duckdb.DuckDBPyConnection, model: Model, select: str) -> str:
    """Earlier rows and new ones, as `statements/incremental.sql` says."""
    stored = columns_of(connection, model.this)
    require(model, {"unique_key": model.unique_key}, stored, "table")
    common_types(connection, model, with_lake_types(connection, f"\n{select}"))
    strategy, kept = model.config.get("incremental_strategy"), list[str]()
    if strategy == "merge":
        new = {column.lower() for column in columns_of(connection, f"(\n{select}\n)")}
        kept = [identifier(column) for column in stored if column.lower() not in new]
    key = [*map(identifier, model.unique_key)]
    return str(statements()["incremental_rows"](model.this, select, key, kept, strategy))
