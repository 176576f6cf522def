"""The raw tables' own records: `raw.sync_log`, a row per materialization, and `raw.rejected_records`."""

from collections.abc import Mapping
from datetime import timedelta, timezone
from types import MappingProxyType

import duckdb

from crm_assets.source.api import ENDPOINTS
from crm_assets.source.reading.incremental import Cursor
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.schemas import resource_schema

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

CURSOR = """
with last_full as (
    select max(_dlt_load_id) as load_id
    from raw.sync_log
    where resource = $resource and mode = 'full' and complete
),

reads_since as (
    select
        max(started_at) as began,
        bool_and(complete) as all_complete
    from raw.sync_log
    cross join last_full
    where resource = $resource and _dlt_load_id >= last_full.load_id
),

present as (
    select max(updated_at) as newest
    from {table}
    cross join last_full
    where _dlt_load_id >= last_full.load_id
)

select
    newest,
    began
from present
cross join reads_since
where all_complete
"""

DUCKDB_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "text": "varchar",
        "bigint": "bigint",
        "decimal": "decimal(38,9)",
        "timestamp": "timestamp with time zone",
        "date": "date",
        "bool": "boolean",
        "json": "json",
    }
)
"""dlt's type -> the type of its column in DuckDB."""


def write_sync_log(connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str) -> None:
    """Adds one read to the log, and what it set aside, in one transaction.

    Runs after the raw table was committed. Between the two, the table holds a load that the log does not know yet:
    its rows show, and nothing counts as vanished because of it, so that a crash there leaves a consistent state.
    """
    connection.execute("begin")
    connection.execute(TABLES)
    for resource in ENDPOINTS:
        connection.execute(declared_table(resource))
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
            [[report.resource, r.page, r.reason, r.record, load_id] for r in report.rejected],
        )
    connection.execute("commit")


def read_cursor(connection: duckdb.DuckDBPyConnection, resource: str, lag: float) -> Cursor | None:
    """What an incremental read of `resource` may stop at, from the table and its log; None when it must read all.

    It needs a complete full read, and nothing incomplete since. It goes back to before that read (or a complete one
    since) began, because what changed while it went on may have been missed, and to the newest row if that is older;
    in both cases by `lag` seconds more.
    """
    try:
        found = connection.execute(CURSOR.format(table=f'raw."{resource}"'), {"resource": resource}).fetchone()
    except duckdb.CatalogException:
        return None  # nothing was loaded yet
    if found is None or found[0] is None or found[1] is None:
        return None
    newest, began = (at.astimezone(timezone.utc) for at in found)
    return Cursor(newest=newest, read_to=min(newest, began) - timedelta(seconds=lag))


def declared_table(resource: str) -> str:
    """The statement for a resource's raw table as declared, unless it is there.

    Models read several resources. The first read of one of them leaves empty tables for the others, so that the models
    can be built from what there is.
    """
    columns = resource_schema(resource).columns.values()
    typed = [f'"{c.name}" {DUCKDB_TYPES[c.data_type]}{"" if c.nullable else " not null"}' for c in columns]
    typed += ["_dlt_load_id varchar not null", "_dlt_id varchar not null"]
    return f'create table if not exists raw."{resource}" ({", ".join(typed)})'
