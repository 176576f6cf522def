"""Column lineage: the table columns that each column of a SELECT comes from."""

from collections.abc import Iterator, Mapping, Sequence

import duckdb
from sqlglot import exp
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

Schemas = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Schema -> table -> column -> type. Schemas and tables are in lower case, as in addresses of models."""

Origin = tuple[str, str, str]
"""Schema, table, column."""


def known_columns(connection: duckdb.DuckDBPyConnection) -> Schemas:
    """All tables and views with their columns."""
    schemas: dict[str, dict[str, dict[str, str]]] = {}
    for schema, table, column, type_ in connection.execute(
        "select lower(table_schema), lower(table_name), column_name, data_type "
        "from information_schema.columns order by ordinal_position"
    ).fetchall():
        schemas.setdefault(schema, {}).setdefault(table, {})[column] = type_
    return schemas


def column_lineage(query: exp.Query, schemas: Schemas) -> Mapping[str, Sequence[Origin]]:
    """Column of the result, in lower case -> the table columns in its expression.

    Columns that only filter, join or sort are not included. A column of the result that cannot be traced is missing.

    Raises:
        sqlglot.errors.SqlglotError: The query reads tables or columns that are not in `schemas`.
        ValueError: sqlglot cannot trace such a query.
    """
    nodes, recurs = _nodes(query, schemas)
    return {name: sorted(set(_origins(node))) for name, node in nodes.items() if _is_traced(node, recurs=recurs)}


def copied_columns(query: exp.Query, schemas: Schemas) -> Mapping[str, Origin]:
    """Column of the result, in lower case -> the table column that it is, as it is. The errors are the same."""
    nodes, _ = _nodes(query, schemas)
    return {name: origin for name, node in nodes.items() if _is_copied(node) for origin in _origins(node)}


def _nodes(query: exp.Query, schemas: Schemas) -> tuple[Mapping[str, Node], bool]:
    """The expressions of each column, and whether one of its sources is recursive."""
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
        return {}, False
    nodes = lineage(None, qualified, dict(schemas), scope=scope, dialect="duckdb", trim_selects=False, copy=False)
    recurs = any(clause.recursive for clause in qualified.find_all(exp.With))
    return nodes, recurs


def _select(query: exp.Expr, positions: Mapping[str, int | None]) -> None:
    """Selects columns in another order, since sqlglot's lineage goes by position. None: one without values."""
    if isinstance(query, exp.Select):
        columns = [exp.alias_(exp.null(), name) if n is None else query.selects[n] for name, n in positions.items()]
        query.set("expressions", columns)
    elif isinstance(query, exp.SetOperation):
        _select(query.left, positions)
        _select(query.right, positions)


def _is_traced(node: Node, *, recurs: bool) -> bool:
    """Whether sqlglot has found all columns in a node's expression. `recurs`: a source without end is a CTE itself."""
    ends = (exp.Select,) if recurs else (exp.Select, exp.Placeholder)
    return not any(
        isinstance(step.expression, ends) or any(map(_hides_columns, step.expression.walk())) for step in node.walk()
    )


def _is_copied(node: Node) -> bool:
    """Whether nothing but names changes on the way from one column of a table."""
    if isinstance(node.expression, exp.Table):
        return True
    return (
        len(node.downstream) == 1
        and isinstance(node.expression.unalias(), exp.Column)
        and _is_copied(node.downstream[0])
    )


def _hides_columns(part: exp.Expr) -> bool:
    """Whether sqlglot does not see which columns are meant: a whole row, `columns(…)`, `#2`, `email.upper()`."""
    if isinstance(part, exp.Star):
        return not isinstance(part.parent, exp.Count)
    if isinstance(part, exp.Dot):
        function = part.find_ancestor(exp.Lambda)
        return isinstance(part.this, exp.Identifier) and (function is None or part.this not in function.expressions)
    return isinstance(part, exp.TableColumn | exp.Columns | exp.PositionalColumn) or (
        isinstance(part, exp.Column) and not part.table
    )


def _origins(node: Node) -> Iterator[Origin]:
    for step in node.walk():
        if isinstance(step.expression, exp.Table):
            column = exp.to_column(step.name, dialect="duckdb") if '"' in step.name else None
            yield step.expression.db, step.expression.name, column.name if column else step.name.rpartition(".")[2]
