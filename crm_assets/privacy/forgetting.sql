-- table: One row per id. `_dlt_load_id` is the last load whose list still had the id; empty if none had it.
-- `was_stored` says whether rows were erased.
create schema if not exists raw;
create table if not exists raw.forgotten (
    resource varchar not null,
    id_hash varchar not null,
    salt varchar not null,
    forgotten_at timestamp with time zone not null,
    was_stored boolean not null,
    _dlt_load_id varchar not null
);

-- rejected:
select record::varchar, count(*)
from raw.rejected_records
where resource = ? and record is not null
group by all

-- listed:
select count(*)
from raw.forgotten
where
    resource = $resource and _dlt_load_id <> ''
    and _dlt_load_id >= coalesce((select load_id from present.since where resource = $resource), '')

-- by_time:
select
    resource,
    timezone('UTC', forgotten_at) as forgotten_at_utc,
    count(*) as ids,
    count(*) filter (where was_stored) as stored
from raw.forgotten
group by all
order by forgotten_at_utc, resource

-- remember:
merge into raw.forgotten as known
using (select unnest($hashes) as id_hash, unnest($stored) as was_stored) as chosen
on known.resource = $resource and known.id_hash = chosen.id_hash
when matched then update set was_stored = known.was_stored or chosen.was_stored
when not matched then insert (resource, id_hash, salt, forgotten_at, was_stored, _dlt_load_id)
values ($resource, chosen.id_hash, $salt, now(), chosen.was_stored, '')
