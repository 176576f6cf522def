"""The reporting time zone of days, weeks and months in models: `getvariable('reporting_timezone')` in SQL.

Views are read in other sessions, with other time zones and without the variable. So the zone's name is written into the
statement that creates the model. Data tests run in the session that built it.
"""

import duckdb

from crm_assets.warehouse.quoting import literal

VARIABLE = "getvariable('reporting_timezone')"


def report_in(connection: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Sets the session's reporting time zone, an IANA name."""
    connection.execute(f"set variable reporting_timezone = {literal(timezone)}")


def with_timezone(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """A statement with the zone's name instead of the variable; UTC if the session has none."""
    if VARIABLE not in sql:
        return sql
    [[timezone]] = connection.execute(f"select coalesce({VARIABLE}, 'UTC')").fetchall()
    return sql.replace(VARIABLE, literal(timezone))
