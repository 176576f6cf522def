"""What SQL reads, by DuckDB's own parser, which knows its syntax and is ten times as fast as others."""

import re
from functools import cache

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crm_assets.errors import NotSelect
from crm_assets.warehouse.duckdb_messages import line, reason

ALIAS = re.compile(" AS .*", re.DOTALL)
"""DuckDB adds it to the names of some tables."""

UNSTABLE = """
select function_name
from duckdb_functions()
where function_type in ('scalar', 'table', 'aggregate')
group by function_name
having
    bool_and(stability is distinct from 'CONSISTENT')
    and function_name not in ('error', 'generate_series', 'json_each', 'json_tree', 'range', 'unnest')
    or function_name in ('age', 'current_localtime', 'current_localtimestamp', 'current_setting', 'getvariable')
"""
"""Functions of clocks, chance, sessions, files and other databases. DuckDB 1.5 calls the last five consistent."""

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
        names = "|".join(name for (name,) in connection.execute(UNSTABLE).fetchall())
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
