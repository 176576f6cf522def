"""What SQL reads: its tables, by DuckDB's own parser, and the table columns that each of its columns comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from crm_assets.errors import NotSelect
from crm_assets.warehouse.duckdb_messages import line, reason
from crm_assets.warehouse.tables import statements_of

SQL = statements_of(__file__)

ALIAS = re.compile(" AS .*", re.DOTALL)
"""DuckDB adds it to the names of some tables."""

WITHOUT_BRACKETS = "current_date|current_time|current_timestamp|localtime|localtimestamp"


@cache
def tables_read(sql: str) -> frozenset[str]:
    """Every table that a SELECT reads, in lower case: `schema.table`, or a bare name that is not a CTE.

    Raises:
        NotSelect: It is something else.
    """
    with _database().cursor() as connection:
        try:
            kinds = [statement.type for statement in connection.extract_statements(sql)]
        except duckdb.ParserException as error:
            raise NotSelect(f"this is not valid SQL: {reason(error)}", line(error) or 1) from None
        if len(kinds) != 1:
            more = ", and IN with the values in a PIVOT" if "pivot" in sql.lower() else ""
            raise NotSelect(f"the file has {len(kinds)} statements: write one SELECT per file{more}")
        if kinds[0] != duckdb.StatementType.SELECT:
            raise NotSelect(f"the statement is {kinds[0].name}, not SELECT: write only the SELECT")
        try:
            names = connection.get_table_names(sql, qualified=True)
        except duckdb.Error:  # a function of an extension or of the database, or a file
            return _by_sqlglot(sql)
    return frozenset(ALIAS.sub("", name).replace('"', "").lower() for name in names)


@cache
def reserved_words() -> frozenset[str]:
    """The words that are no names without quotes."""
    with _database().cursor() as connection:
        found = connection.execute("select keyword_name from duckdb_keywords() where keyword_category = 'reserved'")
        return frozenset(word for (word,) in found.fetchall())


def is_stable(sql: str) -> bool:
    """Whether a query returns the same as long as its tables do: it calls no function of a clock, chance or a file."""
    return _unstable().search(sql) is None


@cache
def _unstable() -> re.Pattern[str]:
    with _database().cursor() as connection:
        names = "|".join(name for (name,) in connection.execute(SQL["unstable"]).fetchall())
    return re.compile(rf"\b(({names}|\w+_scan|\w+_query)\s*\(|({WITHOUT_BRACKETS})\b)", re.IGNORECASE)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """An empty database in memory, which reads no files. Opening it takes longer than parsing all models."""
    return duckdb.connect(config={"enable_external_access": "false", "threads": "1"})


def _by_sqlglot(sql: str) -> frozenset[str]:
    try:
        query = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise NotSelect(f"the tables that it reads cannot be found: {error}") from None
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    addresses = {".".join(part for part in (table.db, table.name) if part).lower() for table in tables}
    return frozenset(addresses - ctes)


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
    query = query.copy()
    for select in query.find_all(exp.Select):
        windows = {window.name.lower(): window for window in select.args.get("windows") or ()}
        for window in select.find_all(exp.Window):
            if defined := windows.get(window.alias.lower()):  # `over w`, which has no columns itself
                window.set("expressions", [defined.copy()])
    qualified = qualify(
        query, schema=dict(schemas), dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False
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
