"""The raw tables' own records: `raw.sync_log`, a row per materialization, and `raw.rejected_records`."""

import json
from typing import Any

import duckdb

from crm_assets.source.report import ReadReport

TABLES = """
create schema if not exists raw;
create table if not exists raw.sync_log (
    resource varchar not null,
    mode varchar not null,
    complete boolean not null,
    started_at timestamp with time zone not null,
    requests bigint not null,
    retries bigint not null,
    rows_read bigint not null,
    rows_in_source bigint,
    _dlt_load_id varchar not null
);
create table if not exists raw.rejected_records (
    resource varchar not null,
    page bigint not null,
    reason varchar not null,
    record json,
    _dlt_load_id varchar not null
);
"""


def write_sync_log(connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str) -> None:
    """Adds one read to the log, and what it set aside, in one transaction.

    Runs after the raw table was committed. Between the two, the table holds a load that the log does not know yet:
    its rows show, and nothing counts as vanished because of it, so that a crash there leaves a consistent state.
    """
    connection.execute("begin")
    connection.execute(TABLES)
    connection.execute(
        "insert into raw.sync_log values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            report.resource,
            report.mode.value,
            report.complete,
            report.started_at,
            report.requests,
            report.retries,
            report.rows_read,
            report.rows_in_source,
            load_id,
        ],
    )
    if report.rejected:
        connection.executemany(
            "insert into raw.rejected_records values (?, ?, ?, ?, ?)",
            [[report.resource, r.page, r.reason, _as_json(r.record), load_id] for r in report.rejected],
        )
    connection.execute("commit")


def _as_json(record: Any) -> str:
    # ASCII escapes keep what UTF-8 cannot, such as lone surrogates.
    return json.dumps(record, default=str)
