"""The tables that all resources share: the log tables, with rows for each read, and side-loaded records such as users.

A record that stays in the CRM's list is rejected by each read, so it has one row, as has a dropped field. Otherwise the
tables would grow with each read.
"""

from collections.abc import Mapping
from operator import attrgetter

import duckdb
import pyarrow as pa

from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.batches import MAX_REJECTED
from crm_assets.warehouse.lake.commit import is_shared
from crm_assets.warehouse.tables import is_lake
from crm_assets.warehouse.transactions import committed

LOG_TABLES: Mapping[str, str] = {
    # One row per read: its result. `started_at` is a time of the machine's clock.
    "sync_log": "mode varchar not null, complete boolean not null, started_at timestamptz not null, "
    "requests bigint not null, retries bigint not null, rows_read bigint not null, rows_in_source bigint",
    # Its parameters, and why it is incomplete.
    "sync_details": "base_url varchar not null, path varchar not null, params json not null, "
    "incomplete_because varchar not null",
    # What its load changed. `version` is the load id of the last load that changed anything.
    "sync_changes": "rows_new bigint not null, rows_changed bigint not null, rows_vanished bigint not null, "
    "rows_returned bigint not null, version varchar not null",
    # The full reads that lacked too many of the rows shown before them.
    "unconfirmed_reads": "rows_shown bigint not null, rows_missing bigint not null",
    "rejected_records": "page bigint not null, reason varchar not null, record json",
    "dropped_fields": "field varchar not null",
}
"""Log table -> its columns between `resource` and `_dlt_load_id`, in its first release."""

MORE = """
alter table raw.sync_details add column if not exists answered_at timestamptz;
create table if not exists raw.load_counter (last_load bigint not null);
create schema if not exists present;
create view if not exists present.since as
select resource, max(_dlt_load_id) as load_id
from raw.sync_log
where mode = 'full' and complete
group by resource
"""
"""`answered_at` is a time of the API's clock, in its first answer. `load_counter` has one row, the number of the read
that began last: a lake has no sequences. `present.since` has the last complete full read of each resource."""

COLUMNS = """
alter table raw.rejected_records add column first_seen varchar;
alter table raw.rejected_records add column last_seen varchar;
alter table raw.rejected_records add column records bigint;
alter table raw.dropped_fields add column first_seen varchar;
alter table raw.dropped_fields add column last_seen varchar;
"""
"""One row per resource, reason and record, and per resource and field: from which load to which it was seen.

`_dlt_load_id` is the last one as well. `page` is that of the last read, and `records` the number of equal records in
it. A row without a record stands for those that were not stored."""

DISTINCT_RECORDS = """
with by_load as (
    select
        reason, record, _dlt_load_id,
        min(page) as page,
        min(coalesce(first_seen, _dlt_load_id)) as first_seen,
        sum(coalesce(records, 1))::bigint as records
    from raw.rejected_records
    where resource = $resource and {chosen}
    group by reason, record, _dlt_load_id
)

select
    $resource as resource, reason, record,
    arg_max(page, by_load._dlt_load_id) as page,
    max(by_load._dlt_load_id) as _dlt_load_id,
    min(first_seen) as first_seen,
    max(by_load._dlt_load_id) as last_seen,
    arg_max(records, by_load._dlt_load_id) as records
from by_load
group by reason, record
"""

DISTINCT_FIELDS = """
select
    resource, field,
    max(_dlt_load_id) as _dlt_load_id,
    min(coalesce(first_seen, _dlt_load_id)) as first_seen,
    max(_dlt_load_id) as last_seen
from raw.dropped_fields
where resource = $resource and {chosen}
group by resource, field
"""

DISTINCT = {"rejected_records": DISTINCT_RECORDS, "dropped_fields": DISTINCT_FIELDS}

FOUND = {
    "rejected_records": "(reason, coalesce(record::varchar, '')) in (select (reason, coalesce(record, '')) from found)",
    "dropped_fields": "field in (select field from found)",
}
"""Log table -> the condition of rows of what a read left out."""

SURPLUS = f"""
delete from raw.rejected_records
where resource = $resource and _dlt_load_id < (
    select _dlt_load_id from raw.rejected_records
    where resource = $resource
    order by _dlt_load_id desc
    limit 1 offset {MAX_REJECTED}
)
"""
"""Keeps as many rows of a resource as one read may have, and the rest of the oldest read among them."""

ARROW = pa.schema([("page", pa.int64()), ("reason", pa.string()), ("record", pa.string()), ("records", pa.int64())])

BATCH_DAYS = 30
"""In a lake, old rows are deleted together, so many days later: loads that run meanwhile conflict, and start over."""

OLD = """
with reads as materialized (
    select _dlt_load_id, mode, complete, started_at
    from raw.sync_log
    where resource = $resource
)

select _dlt_load_id, started_at < $began - to_days($days + $batch_days)
from reads
where
    _dlt_load_id < (select min(_dlt_load_id) from reads where started_at >= $began - to_days($days))
    and _dlt_load_id is distinct from (select max(_dlt_load_id) from reads where mode = 'full' and complete)
    and _dlt_load_id is distinct from (select max(_dlt_load_id) from reads where not complete)
"""
"""Loads whose reads began too long ago, and whether they are due.

An incremental read needs the last complete full read, and must know of an incomplete one since."""

PRUNE = "delete from raw.{table} where resource = $resource and _dlt_load_id in (select unnest($old))"


def create_shared_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables that resources share, unless they exist, and adds new columns to older log tables."""
    create_side_loaded(connection)
    for table, columns in LOG_TABLES.items():
        own = f"resource varchar not null, {columns}, _dlt_load_id varchar not null"
        connection.execute(f"create table if not exists raw.{table} ({own})")
    connection.execute(MORE)
    described = connection.execute("from raw.rejected_records limit 0").description or ()
    if "first_seen" not in {name for name, *_ in described}:
        connection.execute(COLUMNS)
        for table in DISTINCT:
            for (resource,) in connection.execute(f"select distinct resource from raw.{table}").fetchall():
                keep_distinct(connection, table, resource)


def create_in_lake(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables that resources share, of which `SELDOM` have a row that the first read deletes.

    Of a table that never had a row, DuckLake (DuckDB 1.5.5) asks the catalog again for each column of each statement.
    """
    create_shared_tables(connection)
    for table in SELDOM:
        values = (f"'0'::{type_}" for _, type_, *_ in connection.execute(f"describe {table}").fetchall())
        connection.execute(f"insert into {table} values ({', '.join(values)})")


def keep_distinct(connection: duckdb.DuckDBPyConnection, table: str, resource: str, chosen: str = "true") -> None:
    """Makes one row of a resource's equal ones, within a transaction. `chosen`: the condition of rows to look at."""
    distinct = DISTINCT[table].format(chosen=chosen)
    connection.execute(f"create or replace temp table kept as {distinct}", {"resource": resource})
    connection.execute(f"delete from raw.{table} where resource = ? and {chosen}", [resource])
    connection.execute(f"insert into raw.{table} by name from temp.kept; drop table temp.kept")


def write_left_out(connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str) -> None:
    """Stores what a read left out, within the load's transaction."""
    columns = {name: [*map(attrgetter(name), report.rejected)] for name in ARROW.names}
    fields = {"field": pa.array(report.dropped_fields, pa.string())}
    found = {"rejected_records": pa.table(columns, schema=ARROW), "dropped_fields": pa.table(fields)}
    for table, rows in found.items():
        if len(rows):
            connection.register("found", rows)
            connection.execute(
                f"insert into raw.{table} by name select *, ? as resource, ? as _dlt_load_id from found",
                [report.resource, load_id],
            )
            keep_distinct(connection, table, report.resource, FOUND[table])  # all rows can be 100 MB
            connection.unregister("found")
    if report.rejected:
        connection.execute(SURPLUS, {"resource": report.resource})


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
    began = min(filter(None, (report.started_at, report.answered_at)))  # one of the two clocks may be wrong
    limits = {"began": began, "days": days, "batch_days": BATCH_DAYS if is_lake(connection) else 0}
    found = connection.execute(OLD, resource | limits).fetchall()
    if any(is_due for _, is_due in found):
        old = [load_id for load_id, _ in found]
        for table in LOG_TABLES:
            connection.execute(PRUNE.format(table=table), resource | {"old": old})


SIDE_LOADED = "raw.side_loaded"

SELDOM = (SIDE_LOADED, "raw.unconfirmed_reads", "raw.rejected_records", "raw.dropped_fields")
"""Tables in which most databases have no row."""

CREATE_SIDE_LOADED = """
create schema if not exists raw;
create table if not exists raw.side_loaded (
    array_name varchar not null,
    id bigint not null,
    record json not null,
    _dlt_load_id varchar not null
);
"""
"""One row per record of an array, from the newest read that had it. Rows of records that a read lacks stay: it has only
those that its own records refer to. Between two transactions of a load, or after simultaneous loads into a lake, there
can be older rows as well."""

OTHER = """
with newest as (
    select array_name, id, arg_max(record, _dlt_load_id) as record, max(_dlt_load_id) as _dlt_load_id
    from raw.side_loaded
    group by array_name, id
)

select count(*) > 0
from side_loads
left join newest on side_loads.array_name = newest.array_name and side_loads.id = newest.id
where newest.record is distinct from side_loads.record::json and coalesce(newest._dlt_load_id, '') <= $load_id
"""

ADD = """
insert into raw.side_loaded
select array_name, id, record::json, $load_id
from side_loads
anti join (from raw.side_loaded where _dlt_load_id > $load_id) as newer using (array_name, id)
"""

DELETE_OLDER = """
delete from raw.side_loaded
where
    (array_name, id, _dlt_load_id) not in (
        select (array_name, id, max(_dlt_load_id)) from raw.side_loaded group by array_name, id
    )
"""


def create_side_loaded(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates `raw.side_loaded`, unless it exists."""
    connection.execute(CREATE_SIDE_LOADED)


def merge_side_loads(connection: duckdb.DuckDBPyConnection, side_loads: pa.Table, load_id: str) -> bool:
    """Adds the side-loaded records of a read, except those that a read had that began later.

    Several resources have the same users. The read that began last has the newest version.

    Args:
        connection: Within the load's transaction.
        side_loads: Columns `array_name`, `id` and `record`; each id once per array.
        load_id: The load id of the read.

    Returns:
        Whether any record is new or differs from the stored one.
    """
    if not len(side_loads):
        return False
    connection.register("side_loads", side_loads)
    [[other]] = connection.execute(OTHER, {"load_id": load_id}).fetchall()
    connection.execute(ADD, {"load_id": load_id})
    connection.unregister("side_loads")
    return bool(other)


def delete_older(connection: duckdb.DuckDBPyConnection) -> None:
    """Deletes all rows of a side-loaded record but the newest, unless another load may be doing so.

    In a transaction of its own: in a lake it conflicts with loads that add rows, which conflict with nothing.
    """
    if not is_shared(connection, SIDE_LOADED):
        committed(connection, lambda: connection.execute(DELETE_OLDER))
