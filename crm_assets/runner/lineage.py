"""Column lineage: the table columns that each column of a SELECT comes from."""

from collections.abc import Iterator, Mapping, Sequence

import duckdb
from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

Schemas = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Schema -> table -> column -> type."""

Origin = tuple[str, str, str]
"""Schema, table, column."""


def known_columns(connection: duckdb.DuckDBPyConnection) -> Schemas:
    """All tables and views with their columns."""
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for schema, table, column, type_ in connection.execute(
        "select table_schema, table_name, column_name, data_type "
        "from information_schema.columns order by ordinal_position"
    ).fetchall():
        schemas.setdefault(schema, {}).setdefault(table, {})[column] = type_
    return schemas


def column_lineage(query: exp.Query, schemas: Schemas) -> Mapping[str, Sequence[Origin]]:
    """Column of the result -> the table columns in its expression.

    Columns that only filter, join or sort are not included.

    Raises:
        sqlglot.errors.SqlglotError: The query reads tables or columns that are not in `schemas`.
    """
    qualified = qualify(
        query.copy(), schema=dict(schemas), dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False
    )
    for union in [*qualified.find_all(exp.SetOperation)][::-1]:
        if union.args.get("by_name"):
            named = [*union.left.named_selects, *union.right.named_selects]
            for side in (union.left, union.right):
                _select(side, {**dict.fromkeys(named), **{name: n for n, name in enumerate(side.named_selects)}})
    scope = build_scope(qualified)
    if scope is None:
        return {}
    nodes = lineage(None, qualified, dict(schemas), scope=scope, dialect="duckdb", trim_selects=False, copy=False)
    return {name: sorted(set(_origins(node))) for name, node in nodes.items()}


def _select(query: exp.Expr, positions: Mapping[str, int | None]) -> None:
    """Selects columns in another order, since sqlglot's lineage goes by position. None: one without values."""
    if isinstance(query, exp.Select):
        columns = [exp.alias_(exp.null(), name) if n is None else query.selects[n] for name, n in positions.items()]
        query.set("expressions", columns)
    elif isinstance(query, exp.SetOperation):
        _select(query.left, positions)
        _select(query.right, positions)


def _origins(node: Node) -> Iterator[Origin]:
    for step in node.walk():
        if isinstance(step.expression, exp.Table):
            column = exp.to_column(step.name, dialect="duckdb") if '"' in step.name else None
            yield step.expression.db, step.expression.name, column.name if column else step.name.rpartition(".")[2]
