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

named as (
    select
        owner,
        owner_name
    from marts.task_backlog
)

select
    case when shown.is_named then coalesce(named.owner_name, shown.owner) else shown.others end as owner,
    tasks.age,
    count(*) as open_tasks
from tasks
inner join shown on tasks.owner = shown.owner
left join named on tasks.owner = named.owner
group by all
order by min(shown.place), tasks.age
