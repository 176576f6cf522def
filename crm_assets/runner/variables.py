"""The variables of a session: what `var('reporting_timezone')` and `var('fiscal_year_start')` are in models and tests.

Views are read in other sessions, with other time zones. So the values become part of the statement.
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from crm_assets.warehouse.names import literal


def report_in(connection: duckdb.DuckDBPyConnection, timezone: str, fiscal_year_start: int = 1) -> None:
    """Sets the session's reporting time zone, an IANA name, and the month in which its fiscal years begin."""
    connection.execute(f"set variable reporting_timezone = {literal(timezone)}")
    connection.execute(f"set variable fiscal_year_start = {fiscal_year_start:d}")


def variables_of(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """The session's variables; UTC and January if it has none."""
    [[timezone, month]] = connection.execute(
        "select coalesce(getvariable('reporting_timezone'), 'UTC'), coalesce(getvariable('fiscal_year_start'), 1)"
    ).fetchall()
    return {"reporting_timezone": timezone, "fiscal_year_start": month}
