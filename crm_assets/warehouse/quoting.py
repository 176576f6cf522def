"""Quotes names and values for SQL statements that cannot have parameters."""

from typing import Any

from sqlglot import exp


def identifier(*parts: str) -> str:
    """A quoted name, or the parts of an address."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def relation(address: str) -> str:
    """The quoted name of a table or view: `"raw"."accounts"` for `raw.accounts`."""
    return identifier(*address.split("."))


def literal(value: Any) -> str:
    """A value as DuckDB writes it: a text in quotes, a number, a date, `TRUE`, `NULL`."""
    return exp.convert(value).sql(dialect="duckdb")
