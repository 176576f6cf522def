"""The reporting time zone of a session: what `var('reporting_timezone')` is in models and tests.

Views are read in other sessions, with other time zones. So the zone's name becomes part of the statement.
"""

import duckdb

from crm_assets.warehouse.names import literal


def report_in(connection: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Sets the session's reporting time zone, an IANA name."""
    connection.execute(f"set variable reporting_timezone = {literal(timezone)}")


def timezone_of(connection: duckdb.DuckDBPyConnection) -> str:
    """The session's reporting time zone; UTC if it has none."""
    [[timezone]] = connection.execute("select coalesce(getvariable('reporting_timezone'), 'UTC')").fetchall()
    return str(timezone)
