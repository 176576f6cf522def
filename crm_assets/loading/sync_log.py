"""The log of reads, `raw.sync_log` and `raw.sync_details`: counts a read, and finds what the next one needs to know.

Load ids are numbers from the warehouse, which order reads whatever the clocks of machines say.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import duckdb

from crm_assets.api import UPDATED_AT
from crm_assets.loading.raw_tables import stored_types
from crm_assets.loading.shared_tables import SELDOM, create_shared_tables, write_left_out
from crm_assets.settings.secrets import is_secret, url, with_digest
from crm_assets.settings.secrets import path as shown_path
from crm_assets.source.reading.incremental import Cursor
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.schemas import resource_schema
from crm_assets.warehouse.tables import PRESENT, RAW, exist, relation, statements_of
from crm_assets.warehouse.transactions import committed

SQL = statements_of(__file__)

NO_FULL_READ = "No complete full read has been loaded yet"
NO_TIME = f"No loaded record has a time in {UPDATED_AT}"
"""Why a read is a full one."""

LOAD_COUNTER = f"{RAW}.load_counter"

PREFIX = "load_"
"""Ids of earlier releases are times. As texts, all of them are less than one that begins with a letter."""

DIGITS = 12


@dataclass(frozen=True)
class ListRequest:
    """The list that a read requests. If any of it changes, the list may have other records.

    Attributes:
        base_url: Identifies the CRM.
        path: The path of the list, below the base URL.
        params: Extra query parameters, as JSON.
    """

    base_url: str
    path: str
    params: str

    @classmethod
    def of(cls, base_url: str, path: str, params: Mapping[str, Any]) -> "ListRequest":
        """Sorts the parameters, so that equal ones compare equal. Of secrets only a digest is kept."""
        kept = {name: with_digest(str(value)) if is_secret(name, value) else value for name, value in params.items()}
        address = with_digest(base_url, url(base_url).shown)
        path = path if path == shown_path(path) else with_digest(path)
        return cls(address, path, json.dumps(kept, sort_keys=True))


def _digest_secrets(connection: duckdb.DuckDBPyConnection) -> None:
    """Replaces secrets in addresses, paths and parameters, which earlier releases stored as they were, by digests."""
    details = "raw.sync_details"
    for stored in connection.execute(f"select distinct base_url, path, params::varchar from {details}").fetchall():
        kept = astuple(ListRequest.of(stored[0], stored[1], json.loads(stored[2])))
        if kept != stored:
            connection.execute(
                f"update {details} set base_url = ?, path = ?, params = ? "
                "where base_url = ? and path = ? and params::varchar = ?",
                [*kept, *stored],
            )


def count_read(connection: duckdb.DuckDBPyConnection) -> str:
    """The id of a read that begins now: as a text, greater than all ids before. Creates or upgrades the log tables.

    Args:
        connection: The warehouse, for writing table `LOAD_COUNTER`, within a transaction.
    """
    create_shared_tables(connection)
    _digest_secrets(connection)
    [[number]] = connection.execute(SQL["next_load"]).fetchall()
    if number == 1:
        for table in SELDOM:  # the rows of `create_in_lake`, of which nobody has read one
            connection.execute(f"delete from {table} where _dlt_load_id = '0'")
    connection.execute("delete from raw.load_counter")
    connection.execute("insert into raw.load_counter values (?)", [number])
    return f"{PREFIX}{number:0{DIGITS}}"


def write_sync_log(
    connection: duckdb.DuckDBPyConnection, report: ReadReport, request: ListRequest, load_id: str
) -> None:
    """Adds one read to the log tables, with its rejected records and dropped fields."""
    numbers = [report.requests, report.retries, report.rows_read, report.rows_in_source]
    connection.execute(
        "insert into raw.sync_log values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [report.resource, report.mode.value, report.complete, report.started_at, *numbers, load_id],
    )
    connection.execute(
        "insert into raw.sync_details values (?, ?, ?, ?, ?, ?, ?)",
        [report.resource, *astuple(request), report.incomplete_because, load_id, report.answered_at],
    )
    write_left_out(connection, report, load_id)


def read_cursor(
    connection: duckdb.DuckDBPyConnection, resource: str, request: ListRequest, lag: float, forgotten: int = 0
) -> Cursor | str:
    """The cursor of an incremental read of `resource`, from the table and the log, or why a full read is needed.

    It needs a complete full read of the same list, no incomplete read since, and as many rows, with the `forgotten`
    ones, as the API counts: a new record may have an old time, or the list may only look sorted. The cursor is the
    start of the last complete read, which may have missed changes made while it ran, or the newest row if that is
    older; minus `lag` seconds. The start is the earlier of this machine's time and the API's, since clocks can be
    wrong.
    """
    if not resource_schema(resource).has_updated_at:
        return f"The schema of {resource} has no {UPDATED_AT}"
    view = f"{PRESENT}.{resource}"
    if not exist(connection, view):
        return NO_FULL_READ  # nothing is loaded yet
    if stored_types(connection, resource).get(UPDATED_AT) != "timestamp":
        return NO_TIME  # it was declared after the last load
    parameters = {"resource": resource, "forgotten": forgotten, **asdict(request)}
    cursor = SQL["cursor"].format(table=relation(view))
    [[newest, began, is_same, all_complete, has_missed]] = connection.execute(cursor, parameters).fetchall()
    reasons = {
        NO_FULL_READ: began is None,
        "The path or the parameters of the list have changed since its last complete full read, or what is kept of "
        "personal data": not is_same,
        "A read was incomplete since the last complete full read": not all_complete,
        "The API counts more records than are loaded": has_missed,
        NO_TIME: newest is None,
    }
    if any(reasons.values()):
        return next(reason for reason, is_so in reasons.items() if is_so)
    newest, began = (at.astimezone(timezone.utc) for at in (newest, began))
    oldest = datetime.min.replace(tzinfo=timezone.utc) + timedelta(seconds=lag)
    return Cursor(newest=newest, read_to=max(min(newest, began), oldest) - timedelta(seconds=lag))


def loaded_from(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The address of the CRM that the raw tables come from, as `CrmSettings.source`; None if nothing is loaded yet."""
    if not exist(connection, f"{RAW}.sync_details"):
        return None
    found = connection.execute("select base_url from raw.sync_details order by _dlt_load_id desc limit 1").fetchone()
    return ListRequest.of(found[0], "", {}).base_url if found else None


def accept_address(connection: duckdb.DuckDBPyConnection, source: str) -> None:
    """Stores the new address of the CRM that the records came from."""
    committed(connection, lambda: connection.execute("update raw.sync_details set base_url = ?", [source]))


def recent_requests(connection: duckdb.DuckDBPyConnection) -> list[tuple[float, int]]:
    """Pairs (seconds ago, number of requests) of the reads that began within the last hour.

    Reads that seem to begin later than now are left out: a clock was wrong, and it is not known when they began.
    """
    return connection.execute(SQL["recent"]).fetchall()
