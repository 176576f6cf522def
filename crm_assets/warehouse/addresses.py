"""The tables that SQL reads: found, and replaced by those of a CRM."""

from functools import cache

import sqlglot
from sqlglot import exp

from crm_assets.settings import Crm
from crm_assets.settings.crms import LAYERS


def tables_read(query: exp.Expr) -> frozenset[str]:
    """Every table that a query reads, in lower case: `schema.table`, or a bare name that is not a CTE."""
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    addresses = {".".join(part for part in (table.db, table.name) if part).lower() for table in tables}
    return frozenset(addresses - ctes)


@cache  # a build and its tests read the same query several times
def of_crm(crm: Crm, query: str) -> str:
    """A query that reads the tables of a CRM: `north_raw.accounts` for `raw.accounts`. Everything else is unchanged.

    Raises:
        sqlglot.errors.SqlglotError: It is not valid DuckDB SQL.
    """
    if not crm.name:
        return query
    read = tables_read(sqlglot.parse_one(query, dialect="duckdb"))
    addresses = {address for address in read if address.partition(".")[0] in LAYERS}
    written, end = [], 0
    tokens = sqlglot.tokenize(query, dialect="duckdb")
    for schema, dot, table in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if dot.text == "." and f"{schema.text}.{table.text}".lower() in addresses:
            written += [query[end : schema.start], crm.named(schema.text)]
            end = schema.end + 1
    return "".join([*written, query[end:]])
