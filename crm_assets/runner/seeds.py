"""Seeds: CSV files. The types of their columns are in their YAML, as `column_types` in dbt."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.warehouse.names import literal

REASONS: Mapping[str, str] = {
    "CAST": "the value does not have type {type}: correct the value, or the type in column_types",
    "MISSING COLUMNS": "the line has fewer values than the header: add the missing ones, or commas for empty ones",
    "TOO MANY COLUMNS": "the line has more values than the header: quote text that contains a comma",
    "UNQUOTED VALUE": "a quote is not closed: close it, and double quotes within text",
    "INVALID ENCODING": "it is not UTF-8: save the file as UTF-8",
    "LINE SIZE OVER MAXIMUM": "the line is too long: a quote may not be closed",
}
"""Error type of DuckDB's CSV reader -> what is wrong, and what to do."""

REJECTED = "select line, column_idx, column_name, error_type::varchar from reject_errors order by all limit 1"


def seed_select(path: Path, config: Mapping[str, Any]) -> str:
    """The SELECT that reads a seed. For columns without a type, DuckDB detects one that holds all values."""
    types = config.get("column_types")
    typed = ", ".join(f"{literal(str(name))}: {literal(str(type_))}" for name, type_ in (types or {}).items())
    options = {"header": "true", "delim": "','", "quote": "'\"'", "escape": "'\"'", "sample_size": "-1"}
    if typed:
        options["types"] = f"{{{typed}}}"
    written = ", ".join(f"{name} = {value}" for name, value in options.items())
    return f"select * from read_csv({literal(str(path))}, {written}, store_rejects = true)"


def forget_rejects(connection: duckdb.DuckDBPyConnection) -> None:
    """Removes the rejected lines of the session's earlier seeds."""
    connection.execute("drop table if exists temp.reject_errors; drop table if exists temp.reject_scans")


def first_rejected(connection: duckdb.DuckDBPyConnection, path: Path, types: Mapping[str, str]) -> str | None:
    """A message with line and column of the first value that could not be read; None if all could."""
    found = connection.execute(REJECTED).fetchone()
    if found is None:
        return None
    line, position, column, kind = found
    wanted = types.get(column or "", "the one found for the column")
    reason = REASONS.get(kind, "the line cannot be read: compare it with other lines").format(type=wanted)
    return f"{path}:{line}: column {column or position}: {reason}"
