-- One row per list: when its last complete read began.
with lists as (
    select *
    from (
        values (1, 'accounts'), (2, 'contacts'), (3, 'won_deals'), (4, 'open_tasks'), (5, 'past_appointments')
    ) as lists (position, resource) -- noqa: AL05
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
