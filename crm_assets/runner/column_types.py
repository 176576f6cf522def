"""The columns of tables and queries, with their types."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from crm_assets.errors import ModelError
from crm_assets.runner.model import Model
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
