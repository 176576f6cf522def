with history as (
    select
        task_id,
        owner_id,
        due_at,
        created_at,
        dbt_valid_from at time zone 'UTC' as seen_from,
        dbt_valid_to at time zone 'UTC' as seen_until,
        lag(due_at ignore nulls) over task as due_at_before
    from {{ ref('open_tasks_history') }}
    window task as (partition by task_id order by dbt_valid_from)
),

tasks as (
    select
        task_id,
        arg_max_null(owner_id, seen_from) as owner_id,
        count(distinct owner_id) as owners,
        arg_max_null(due_at, seen_from) as due_at,
        count(*) filter (where due_at > due_at_before) as times_postponed,
        coalesce(min(created_at), min(seen_from)) as opened_at,
        case when count(*) = count(seen_until) then max(seen_until) end as closed_at
    from history
    group by task_id
)

select
    tasks.task_id,
    tasks.owner_id,
    users.user_name as owner_name,
    tasks.owners,
    tasks.opened_at,
    tasks.due_at,
    tasks.times_postponed,
    tasks.closed_at,
    tasks.closed_at is null as is_open,
    tasks.closed_at > tasks.due_at as was_closed_late,
    greatest(
        date_diff(
            'day',
            cast(tasks.opened_at at time zone '{{ var("reporting_timezone") }}' as date),
            cast(coalesce(tasks.closed_at, now()) at time zone '{{ var("reporting_timezone") }}' as date)
        ),
        0
    ) as days_open
from tasks
left join {{ ref('stg_users') }} as users on tasks.owner_id = users.user_id
