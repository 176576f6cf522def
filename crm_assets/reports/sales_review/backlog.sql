-- One row per owner and age of open tasks. The owners with most tasks have a name; the others are one.
with latest as (
    select max(taken_at) as now from marts.pipeline_health_daily
),

tasks as (
    select
        coalesce(cast(stg_open_tasks.owner_id as varchar), 'unassigned') as owner,
        case
            when stg_open_tasks.due_at is null then 'no due date'
            when stg_open_tasks.due_at >= latest.now then 'not due yet'
            when stg_open_tasks.due_at >= latest.now - interval 7 day then 'up to 7 days overdue'
            when stg_open_tasks.due_at >= latest.now - interval 30 day then '8 to 30 days overdue'
            else 'over 30 days overdue'
        end as age
    from staging.stg_open_tasks
    cross join latest
    where stg_open_tasks.is_open
),

owners as (
    select
        owner,
        row_number() over (order by count(*) desc, owner) as place,
        count(*) over () as owners
    from tasks
    group by owner
),

shown as (
    select
        owner,
        place <= 12 or owners <= 13 as is_named,
        (owners - 12) || ' other owners' as others,
        least(place, 13) as place
    from owners
),

labelled as (
    select
        shown.owner,
        shown.place,
        shown.is_named,
        case
            when shown.is_named then coalesce(task_backlog.owner_name, shown.owner) else shown.others
        end as label
    from shown
    left join marts.task_backlog on shown.owner = task_backlog.owner
),

-- Two users of one name are two bars.
distinguished as (
    select
        owner,
        place,
        case
            when is_named and count(*) over (partition by label) > 1 then label || ' (' || owner || ')'
            else label
        end as label
    from labelled
)

select
    distinguished.label as owner,
    tasks.age,
    count(*) as open_tasks
from tasks
inner join distinguished on tasks.owner = distinguished.owner
group by distinguished.place, distinguished.label, tasks.age
order by distinguished.place, tasks.age
