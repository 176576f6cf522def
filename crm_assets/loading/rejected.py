"""What reads left out: `raw.rejected_records` and `raw.dropped_fields`, with one row for each record or field.

A record that stays in the CRM's list is rejected by each read, so the tables would otherwise grow with each read.
"""

from operator import attrgetter

import duckdb
import pyarrow as pa

from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.batches import MAX_REJECTED

TABLES = """
create table if not exists raw.rejected_records (
    resource varchar not null,
    page bigint not null,
    reason varchar not null,
    record json,
    _dlt_load_id varchar not null
);
create table if not exists raw.dropped_fields (
    resource varchar not null,
    field varchar not null,
    _dlt_load_id varchar not null
);
"""
"""The tables of an earlier release, with one row for each load."""

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

DISTINCT = """
create or replace temp table distinct_records as
with by_load as (
    select
        resource, reason, record, _dlt_load_id,
        min(page) as page,
        min(coalesce(first_seen, _dlt_load_id)) as first_seen,
        sum(coalesce(records, 1))::bigint as records
    from raw.rejected_records
    group by resource, reason, record, _dlt_load_id
)

select
    resource, reason, record,
    arg_max(page, _dlt_load_id) as page,
    max(_dlt_load_id) as _dlt_load_id,
    min(first_seen) as first_seen,
    max(_dlt_load_id) as last_seen,
    arg_max(records, _dlt_load_id) as records
from by_load
group by resource, reason, record;

create or replace temp table distinct_fields as
select
    resource, field,
    max(_dlt_load_id) as _dlt_load_id,
    min(coalesce(first_seen, _dlt_load_id)) as first_seen,
    max(_dlt_load_id) as last_seen
from raw.dropped_fields
group by resource, field;

delete from raw.rejected_records;
delete from raw.dropped_fields;
insert into raw.rejected_records by name from temp.distinct_records;
insert into raw.dropped_fields by name from temp.distinct_fields;
drop table temp.distinct_records;
drop table temp.distinct_fields;
"""

REJECTED = """
merge into raw.rejected_records as stored
using (select page, reason, record::json as record, records from rejected) as found
on
    stored.resource = $resource
    and stored.reason = found.reason
    and stored.record::varchar is not distinct from found.record::varchar
when matched then update set
    page = if(stored._dlt_load_id <= $load_id, found.page, stored.page),
    records = if(stored._dlt_load_id <= $load_id, found.records, stored.records),
    _dlt_load_id = greatest(stored._dlt_load_id, $load_id),
    first_seen = least(stored.first_seen, $load_id),
    last_seen = greatest(stored.last_seen, $load_id)
when not matched then insert (resource, page, reason, record, _dlt_load_id, first_seen, last_seen, records)
values ($resource, found.page, found.reason, found.record, $load_id, $load_id, $load_id, found.records)
"""

DROPPED = """
merge into raw.dropped_fields as stored
using (select unnest($fields) as field) as found
on stored.resource = $resource and stored.field = found.field
when matched then update set
    _dlt_load_id = greatest(stored._dlt_load_id, $load_id),
    first_seen = least(stored.first_seen, $load_id),
    last_seen = greatest(stored.last_seen, $load_id)
when not matched then insert (resource, field, _dlt_load_id, first_seen, last_seen)
values ($resource, found.field, $load_id, $load_id, $load_id)
"""

SURPLUS = """
delete from raw.rejected_records
where resource = $resource and _dlt_load_id < (
    select _dlt_load_id from raw.rejected_records
    where resource = $resource
    order by _dlt_load_id desc
    limit 1 offset $most
)
"""
"""Keeps as many rows of a resource as one read may have, and the rest of the oldest read among them."""

ARROW = pa.schema([("page", pa.int64()), ("reason", pa.string()), ("record", pa.string()), ("records", pa.int64())])


def create_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the tables unless they exist, and gives those of an earlier release their new form."""
    connection.execute(TABLES)
    described = connection.execute("from raw.rejected_records limit 0").description or ()
    if "first_seen" not in {name for name, *_ in described}:
        connection.execute(COLUMNS)
        keep_distinct(connection)


def keep_distinct(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes one row of equal ones, within a transaction."""
    connection.execute(DISTINCT)


def write_left_out(connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str) -> None:
    """Stores what a read left out, within the load's transaction."""
    names = {"resource": report.resource, "load_id": load_id}
    if report.dropped_fields:
        connection.execute(DROPPED, names | {"fields": [*report.dropped_fields]})
    if not report.rejected:
        return
    columns = {name: [*map(attrgetter(name), report.rejected)] for name in ARROW.names}
    connection.register("rejected", pa.table(columns, schema=ARROW))
    try:
        connection.execute(REJECTED, names)
    finally:
        connection.unregister("rejected")
    connection.execute(SURPLUS, {"resource": report.resource, "most": MAX_REJECTED})
