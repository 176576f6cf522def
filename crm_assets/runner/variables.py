"""The variables of a session: what `var('reporting_timezone')` and `var('fiscal_year_start')` are in models and tests.

Views are read in other sessions, with other time zones. So the values become part of the statement. The time is another
variable: models of one run have the same, also at midnight, since temporary macros come before DuckDB's own functions.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import duckdb

from crm_assets.warehouse.names import literal

NOW = "coalesce(getvariable('now'), system.main.now())"
"""The session's time, or that of the clock."""

CLOCK: Mapping[str, str] = {
    **dict.fromkeys(("now", "get_current_timestamp", "transaction_timestamp"), NOW),
    **dict.fromkeys(("current_date", "today"), f"{NOW}::date"),
    "current_localtimestamp": f"{NOW}::timestamp",
}
"""Function -> its value. `current_timestamp` and `localtimestamp` call two of them."""


def report_in(
    connection: duckdb.DuckDBPyConnection, timezone: str, fiscal_year_start: int = 1, now: datetime | None = None
) -> None:
    """Sets the session's reporting time zone, an IANA name, and the month in which its fiscal years begin.

    `now`: the time for all models that are built in the session; without it, each has that of the clock.
    """
    connection.execute(f"set variable reporting_timezone = {literal(timezone)}")
    connection.execute(f"set variable fiscal_year_start = {fiscal_year_start:d}")
    connection.execute(f"set variable now = {literal(now.isoformat())}::timestamptz" if now else "reset variable now")


def stop_clock(connection: duckdb.DuckDBPyConnection) -> None:
    """Lets the functions of the clock return the session's time, if it has one."""
    [[has_time]] = connection.execute("select getvariable('now') is not null").fetchall()
    for name, value in CLOCK.items() if has_time else ():
        connection.execute(f"create or replace temp macro {name}() as {value}")


def variables_of(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """The session's variables; UTC and January if it has none."""
    [[timezone, month]] = connection.execute(
        "select coalesce(getvariable('reporting_timezone'), 'UTC'), coalesce(getvariable('fiscal_year_start'), 1)"
    ).fetchall()
    return {"reporting_timezone": timezone, "fiscal_year_start": month}
