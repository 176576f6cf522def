"""The log tables, with rows for each read: creates and upgrades them, counts reads, and deletes old rows.

Load ids are numbers from the warehouse, which order reads whatever the clocks of machines say.
"""

import json
from functools import partial

import duckdb

from crm_assets.loading.rejected import create_left_out
from crm_assets.loading.sync_log import READS, ListRequest
from crm_assets.source.reading.report import ReadReport
from crm_assets.warehouse.names import RAW, is_lake
from crm_assets.warehouse.transactions import commits_noted, committed

TABLES = ("sync_log", "sync_details", "sync_changes", "rejected_records", "dropped_fields", "unconfirmed_reads")

CREATED = """
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
create table if not exists raw.sync_details (
    resource varchar not null,
    base_url varchar not null,
    path varchar not null,
    params json not null,
    incomplete_because varchar not null,
    _dlt_load_id varchar not null,
    answered_at timestamp with time zone
);
alter table raw.sync_details add column if not exists answered_at timestamp with time zone;
create table if not exists raw.sync_changes (
    resource varchar not null,
    rows_new bigint not null,
    rows_changed bigint not null,
    rows_vanished bigint not null,
    rows_returned bigint not null,
    version varchar not null,
    _dlt_load_id varchar not null
);
create table if not exists raw.unconfirmed_reads (
    resource varchar not null,
    rows_shown bigint not null,
    rows_missing bigint not null,
    _dlt_load_id varchar not null
);
create table if not exists raw.load_counter (last_load bigint not null);
create schema if not exists present;
create view if not exists present.since as
select resource, max(_dlt_load_id) as load_id
from raw.sync_log
where mode = 'full' and complete
group by resource
"""
"""`sync_log`, `sync_details` and `sync_changes` have one row per read: its result, its parameters, and what its load
changed. `started_at` is a time of the machine's clock, `answered_at` of the API's, in its first answer. `version` is
the load id of the last load that changed anything. `unconfirmed_reads` has the full reads that lacked too many of the
rows shown before them, and `present.since` the last complete full read of each resource. `load_counter` has one row,
the number of the read that began last: a lake has no sequences."""

BATCH_DAYS = 30
"""In a lake, old rows are deleted together, so many days later: loads that run meanwhile conflict, and start over."""

OLD = f"""
with {READS},

began as (select least($started_at::timestamptz, $answered_at::timestamptz) as began_at),

oldest_kept as (
    select min(_dlt_load_id) as load_id
    from reads
    cross join began
    where started_at >= began_at - to_days($days)
),

needed as (
    select load_id from last_full
    union all
    select max(_dlt_load_id) from reads where not complete
)

select _dlt_load_id, started_at < began_at - to_days($days + $batch_days)
from reads
cross join began
cross join oldest_kept
where
    _dlt_load_id < oldest_kept.load_id
    and not exists (select 1 from needed where needed.load_id = _dlt_load_id)
"""
"""Loads whose reads began too long ago, by the earlier of two clocks, since one may be wrong; and whether they are due.

An incremental read needs the last complete full read, and must know of an incomplete one since."""

PRUNE = "delete from raw.{table} where resource = $resource and _dlt_load_id in (select unnest($old))"

LOAD_COUNTER = f"{RAW}.load_counter"

LAST_LOAD = "select coalesce(max(last_load), 0) from raw.load_counter"

PREFIX = "load_"
"""Ids of earlier releases are times. As texts, all of them are less than one that begins with a letter."""

DIGITS = 12


def create_log_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the log tables, unless they exist, and gives those of earlier releases their new columns."""
    connection.execute(CREATED)
    create_left_out(connection)


def _digest_secrets(connection: duckdb.DuckDBPyConnection) -> None:
    """Replaces secrets in parameters and paths, which earlier releases stored as they were, by their digests."""
    details = "raw.sync_details"
    for path, params in connection.execute(f"select distinct path, params::varchar from {details}").fetchall():
        kept = ListRequest.of("", path, json.loads(params))
        if (kept.path, kept.params) != (path, params):
            connection.execute(
                f"update {details} set path = ?, params = ? where path = ? and params::varchar = ?",
                [kept.path, kept.params, path, params],
            )


def next_load_id(connection: duckdb.DuckDBPyConnection) -> str:
    """The id of a read that begins now: as a text, greater than all ids before. Creates or upgrades the log tables.

    Args:
        connection: The warehouse, for writing table `LOAD_COUNTER`, without an open transaction.
    """
    with commits_noted():  # apart: an error of the read has to say that no table of records has changed
        return committed(connection, partial(count_read, connection))


def count_read(connection: duckdb.DuckDBPyConnection) -> str:
    """`next_load_id` within a transaction."""
    create_log_tables(connection)
    _digest_secrets(connection)
    [[last]] = connection.execute(LAST_LOAD).fetchall()
    connection.execute("delete from raw.load_counter")
    connection.execute("insert into raw.load_counter values (?)", [last + 1])
    return f"{PREFIX}{last + 1:0{DIGITS}}"


def prune_logs(connection: duckdb.DuckDBPyConnection, report: ReadReport, days: int) -> None:
    """Deletes a resource's rows of old loads, within a load's transaction, when the sync log has the load.

    Args:
        connection: The warehouse, for writing.
        report: The read that was loaded.
        days: The days that rows are kept; 0 keeps all.
    """
    if not days:
        return
    resource = {"resource": report.resource}
    began = {"started_at": report.started_at, "answered_at": report.answered_at}
    limits = {"days": days, "batch_days": BATCH_DAYS if is_lake(connection) else 0}
    found = connection.execute(OLD, {**resource, **began, **limits}).fetchall()
    if any(is_due for _, is_due in found):
        old = [load_id for load_id, _ in found]
        for table in TABLES:
            connection.execute(PRUNE.format(table=table), {**resource, "old": old})
