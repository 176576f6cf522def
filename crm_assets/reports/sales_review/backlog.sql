-- One row per owner of open tasks: the 12 with most overdue tasks, and the others as one.
with owners as (
    select
        *,
        coalesce(owner_name, owner) as name
    from marts.task_backlog
),

-- Two users of one name are two rows.
ranked as (
    select
        *,
        name || if(count(*) over (partition by name) > 1, ' (' || owner || ')', '') as label,
        least(row_number() over (order by overdue_tasks desc, open_tasks desc, owner asc), 13) as place
    from owners
)

select
    case when count(*) = 1 then min(label) else format('{:,} other owners', count(*)) end as owner,
    cast(sum(overdue_tasks) as bigint) as overdue_tasks,
    cast(sum(due_this_week) as bigint) as due_this_week,
    cast(sum(due_later) as bigint) as due_later,
    cast(sum(without_due_date) as bigint) as without_due_date
from ranked
group by place
order by place
