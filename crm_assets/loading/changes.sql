-- last_reads:
select since, if(doubted > since, doubted, null)
from (
    select
        coalesce(max(_dlt_load_id) filter (where mode = 'full' and complete), '') as since,
        max(_dlt_load_id) filter (where not complete and rows_missing is not null) as doubted
    from raw.sync_log
    left join raw.unconfirmed_reads using (resource, _dlt_load_id)
    where resource = $resource
)

-- seen:
select
    count(*),
    count(*) filter (where _dlt_load_id < $doubted)
from {table}
where _dlt_load_id >= $since and ($before is null or _dlt_load_id < $before)

-- stored:
create or replace temp table stored_before as
select
    {id},
    hash({columns}) as content,
    _dlt_load_id >= $since as was_present
from {table}
where _dlt_load_id <= $load_id

-- compared:
select
    count(*) filter (where stored_before.id is null),
    count(*) filter (where stored_before.was_present and stored_before.content <> loaded.content),
    count(*) filter (where not stored_before.was_present)
from (select {id}, hash({columns}) as content from {table} where _dlt_load_id = $load_id) as loaded
left join stored_before on loaded.{id} = stored_before.{id}

-- last_version:
select version from raw.sync_changes where resource = ? order by _dlt_load_id desc limit 1

-- new_version: The next load without changes has this version, so the models are built again.
update raw.sync_changes set version = $version
where
    resource = $resource
    and _dlt_load_id = (select max(_dlt_load_id) from raw.sync_changes where resource = $resource)
