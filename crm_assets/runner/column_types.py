"""The columns of tables and queries, and types that hold the values of both earlier and new rows."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from crm_assets.errors import ModelError, counted
from crm_assets.runner.model import Model
from crm_assets.warehouse.names import identifier
from crm_assets.yaml_files import line_of


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """The columns of a table or subquery with their types."""
    return {name: type_ for name, type_, *_ in connection.execute(f"describe from {relation}").fetchall()}


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
    sides = {"earlier": model.relation, "new": f"({select}\n)"}
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
