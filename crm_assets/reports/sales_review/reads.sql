-- One row per list: when its last complete read began.
with lists as (
    select
        unnest(getvariable('lists')) as resource,
        generate_subscripts(getvariable('lists'), 1) as position
),

complete as (
    select
        resource,
        arg_max(started_at, _dlt_load_id) as read_at
    from raw.sync_log
    where mode = 'full' and complete
    group by resource
)

select
    replace(lists.resource, '_', ' ') as list,
    complete.read_at
from lists
left join complete on lists.resource = complete.resource
order by lists.position
