"""Quotes names and values for SQL statements that cannot have parameters."""

from typing import Any

from sqlglot import exp


def identifier(*parts: str) -> str:
    """A quoted name, or the parts of an address: `"raw"."accounts"`."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def literal(value: Any) -> str:
    """A value as DuckDB writes it: a text in quotes, a number, a date, `TRUE`, `NULL`."""
    return exp.convert(value).sql(dialect="duckdb")
