-- create: The log tables, with the columns of their first release, and what goes with them.
create table if not exists raw.sync_log (  -- the result of a read; started_at is a time of the machine's clock
    resource varchar not null,
    mode varchar not null,
    complete boolean not null,
    started_at timestamptz not null,
    requests bigint not null,
    retries bigint not null,
    rows_read bigint not null,
    rows_in_source bigint,
    _dlt_load_id varchar not null
);
create table if not exists raw.sync_details (  -- parameters of a read, and why it is incomplete
    resource varchar not null,
    base_url varchar not null,
    path varchar not null,
    params json not null,
    incomplete_because varchar not null,
    _dlt_load_id varchar not null
);
create table if not exists raw.sync_changes (  -- what a load changed; version is the last load that changed anything
    resource varchar not null,
    rows_new bigint not null,
    rows_changed bigint not null,
    rows_vanished bigint not null,
    rows_returned bigint not null,
    version varchar not null,
    _dlt_load_id varchar not null
);
create table if not exists raw.unconfirmed_reads (  -- full reads that lacked too many of the rows shown before them
    resource varchar not null,
    rows_shown bigint not null,
    rows_missing bigint not null,
    _dlt_load_id varchar not null
);
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
-- A time of the API's clock, in its first answer.
alter table raw.sync_details add column if not exists answered_at timestamptz;
-- One row, the number of the read that began last: a lake has no sequences.
create table if not exists raw.load_counter (last_load bigint not null);
create schema if not exists present;
-- The last complete full read of each resource.
create view if not exists present.since as
select resource, max(_dlt_load_id) as load_id
from raw.sync_log
where mode = 'full' and complete
group by resource

-- more_columns: One row per resource, reason and record, and per resource and field: from which load to which it was seen.
-- `_dlt_load_id` is the last one as well. `page` is that of the last read, and `records` the number of equal records
-- in it. A row without a record stands for those that were not stored.
alter table raw.rejected_records add column first_seen varchar;
alter table raw.rejected_records add column last_seen varchar;
alter table raw.rejected_records add column records bigint;
alter table raw.dropped_fields add column first_seen varchar;
alter table raw.dropped_fields add column last_seen varchar;

-- distinct_rejected_records:
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

-- distinct_dropped_fields:
select
    resource, field,
    max(_dlt_load_id) as _dlt_load_id,
    min(coalesce(first_seen, _dlt_load_id)) as first_seen,
    max(_dlt_load_id) as last_seen
from raw.dropped_fields
where resource = $resource and {chosen}
group by resource, field

-- surplus: Keeps as many rows of a resource as one read may have, and the rest of the oldest read among them.
delete from raw.rejected_records
where resource = $resource and _dlt_load_id < (
    select _dlt_load_id from raw.rejected_records
    where resource = $resource
    order by _dlt_load_id desc
    limit 1 offset $most
)

-- old: Loads whose reads began too long ago, and whether they are due. An incremental read needs the last complete
-- full read, and must know of an incomplete one since.
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

-- prune:
delete from raw.{table} where resource = $resource and _dlt_load_id in (select unnest($old))

-- create_side_loaded: One row per record of an array, from the newest read that had it. Rows of records that a read
-- lacks stay: it has only those that its own records refer to. Between two transactions of a load, or after
-- simultaneous loads into a lake, there can be older rows as well.
create schema if not exists raw;
create table if not exists raw.side_loaded (
    array_name varchar not null,
    id bigint not null,
    record json not null,
    _dlt_load_id varchar not null
);

-- other:
with newest as (
    select array_name, id, arg_max(record, _dlt_load_id) as record, max(_dlt_load_id) as _dlt_load_id
    from raw.side_loaded
    group by array_name, id
)

select count(*) > 0
from side_loads
left join newest on side_loads.array_name = newest.array_name and side_loads.id = newest.id
where newest.record is distinct from side_loads.record::json and coalesce(newest._dlt_load_id, '') <= $load_id

-- add:
insert into raw.side_loaded
select array_name, id, record::json, $load_id
from side_loads
anti join (from raw.side_loaded where _dlt_load_id > $load_id) as newer using (array_name, id)

-- delete_older:
delete from raw.side_loaded
where
    (array_name, id, _dlt_load_id) not in (
        select (array_name, id, max(_dlt_load_id)) from raw.side_loaded group by array_name, id
    )
