"""Column lineage: the table columns that each column of a SELECT comes from."""

from collections.abc import Iterator, Mapping, Sequence

import duckdb
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

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
    qualified = qualify(query.copy(), schema=dict(schemas), dialect="duckdb", validate_qualify_columns=False)
    scope = build_scope(qualified)
    if scope is None:
        return {}
    # sqlglot.lineage traverses the whole query for each column, which takes seconds for a wide model.
    traced = _Origins()
    return {name: sorted(traced.of(scope, name)) for name in qualified.named_selects}


class _Origins:
    """Traces columns through CTEs, subqueries and unions to tables, each once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], frozenset[Origin]] = {}
        self._names: dict[int, list[str]] = {}

    def of(self, scope: Scope, name: str) -> frozenset[Origin]:
        """The table columns that a scope's column comes from."""
        step = (id(scope), name)
        if step not in self._known:
            self._known[step] = frozenset()  # ends the recursion in a recursive CTE
            self._known[step] = frozenset(self._follow(scope, name))
        return self._known[step]

    def _follow(self, scope: Scope, name: str) -> Iterator[Origin]:
        names = self._names_of(scope)
        if name not in names:
            return  # a column that is not in the schemas
        if isinstance(scope.expression, exp.SetOperation):
            by_name = scope.expression.args.get("by_name")
            for part in scope.set_operation_scopes:
                yield from self.of(part, name if by_name else self._names_of(part)[names.index(name)])
        elif isinstance(scope.expression, exp.Select):
            yield from self._in_expression(scope, scope.expression.selects[names.index(name)])

    def _in_expression(self, scope: Scope, expression: exp.Expr) -> Iterator[Origin]:
        sources = dict(scope.sources)
        for subquery in scope.subquery_scopes:
            sources.update(subquery.sources)
        for column in expression.find_all(exp.Column):
            source = sources.get(column.table)
            if isinstance(source, exp.Table):
                yield source.db, source.name, column.name
            elif isinstance(source, Scope):
                yield from self.of(source, column.name)

    def _names_of(self, scope: Scope) -> list[str]:
        query = scope.expression
        if id(scope) not in self._names:
            self._names[id(scope)] = query.named_selects if isinstance(query, exp.Query) else []
        return self._names[id(scope)]
