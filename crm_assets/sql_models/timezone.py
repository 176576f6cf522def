"""The reporting time zone, by which days, weeks and months of models begin: `getvariable('reporting_timezone')` in SQL.

A model may be a view, which others read in sessions of their own, of another time zone and without the variable. So the
zone's name is put into the statement that makes the model. Tests run in the session that built it.
"""

import duckdb

VARIABLE = "getvariable('reporting_timezone')"


def report_in(connection: duckdb.DuckDBPyConnection, timezone: str) -> None:
    """Sets the session's reporting time zone, by its IANA name."""
    connection.execute(f"set variable reporting_timezone = {_literal(timezone)}")


def with_timezone(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """A statement with the zone's name in place of the variable; UTC where the session has set none."""
    if VARIABLE not in sql:
        return sql
    [[timezone]] = connection.execute(f"select coalesce({VARIABLE}, 'UTC')").fetchall()
    return sql.replace(VARIABLE, _literal(timezone))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
