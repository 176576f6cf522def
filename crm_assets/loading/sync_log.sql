-- cursor: The newest row; and of the reads since the last complete full one: when the last began, whether that one
-- was of the same list, whether all are complete, and whether records were missed: the total was right, and is now
-- higher than the number of rows. It must be so for two reads, since a record may be added while a list is read.
with reads as materialized (
    from raw.sync_log
    left join raw.sync_details using (resource, _dlt_load_id)
    where resource = $resource
),

last_full as (select max(_dlt_load_id) as load_id from reads where mode = 'full' and complete)

select
    (select max(updated_at) from {table}),
    arg_max(least(started_at, answered_at), _dlt_load_id),
    bool_or(_dlt_load_id = load_id and base_url = $base_url and path = $path and params::varchar = $params),
    bool_and(complete),
    bool_or(_dlt_load_id = load_id and rows_read = rows_in_source)
    and list_min(arg_max(rows_in_source, _dlt_load_id, 2)) > (select count(*) from {table}) + $forgotten
from reads
inner join last_full on _dlt_load_id >= load_id

-- recent:
select epoch(now() - started_at), requests
from raw.sync_log
where started_at between now() - interval 1 hour and now()

-- next_load:
select coalesce(max(last_load), 0) + 1 from raw.load_counter
