"""Deletes old rows of the log tables, after `CRM_KEEP_LOG_DAYS`, unless later reads need them."""

import duckdb

from crm_assets.source.reading.report import ReadReport
from crm_assets.warehouse.names import is_lake

TABLES = ("sync_log", "sync_details", "sync_changes", "rejected_records", "dropped_fields", "unconfirmed_reads")

BATCH_DAYS = 30
"""In a lake, old rows are deleted together, so many days later: loads that run meanwhile conflict, and start over."""

OLD = """
with began as (select least($started_at::timestamptz, $answered_at::timestamptz) as began_at),

oldest_kept as (
    select min(_dlt_load_id) as load_id
    from raw.sync_log
    cross join began
    where resource = $resource and started_at >= began_at - to_days($days)
),

needed as (
    select load_id
    from present.since
    where resource = $resource
    union all
    select max(_dlt_load_id)
    from raw.sync_log
    where resource = $resource and not complete
)

select
    _dlt_load_id,
    started_at < began_at - to_days($days + $batch_days)
from raw.sync_log
cross join began
cross join oldest_kept
where
    resource = $resource
    and _dlt_load_id < oldest_kept.load_id
    and not exists (select 1 from needed where needed.load_id = _dlt_load_id)
"""
"""Loads whose reads began too long ago, by the earlier of two clocks, since one may be wrong; and whether they are due.

An incremental read needs the last complete full read, and must know of an incomplete one since."""

PRUNE = """
delete from raw.{table}
where resource = $resource and _dlt_load_id in (select unnest($old))
"""


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
