with tasks as (
    select
        task_id,
        owner_id,
        due_at
    from {{ ref('stg_open_tasks') }}
    where is_open
),

account_links as (
    select
        tasks.owner_id,
        count(distinct links.account_id) as accounts
    from tasks
    inner join {{ ref('stg_activity_accounts') }} as links on tasks.task_id = links.activity_id
    where links.activity_type = 'task'
    group by tasks.owner_id
),

-- A week from now by the calendar: an hour more or less when the clocks change within it.
clock as (
    select
        cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as today,
        (now() at time zone '{{ var("reporting_timezone") }}' + interval 7 day)
        at time zone '{{ var("reporting_timezone") }}' as in_a_week
),

backlog as (
    select
        tasks.owner_id,
        count(*) as open_tasks,
        count(*) filter (where tasks.due_at < now()) as overdue_tasks,
        count(*) filter (where tasks.due_at >= now() and tasks.due_at < clock.in_a_week) as due_this_week,
        count(*) filter (where tasks.due_at >= clock.in_a_week) as due_later,
        count(*) filter (where tasks.due_at is null) as without_due_date,
        min(tasks.due_at) as oldest_due_at,
        min(tasks.due_at) filter (where tasks.due_at >= now()) as next_due_at
    from tasks
    cross join clock
    group by tasks.owner_id
)

select
    coalesce(cast(backlog.owner_id as varchar), 'unassigned') as owner,
    backlog.owner_id,
    owners.user_name as owner_name,
    backlog.open_tasks,
    backlog.overdue_tasks,
    backlog.due_this_week,
    backlog.due_later,
    backlog.without_due_date,
    {{ share('backlog.overdue_tasks', 'backlog.open_tasks', 5) }} as overdue_share,
    backlog.oldest_due_at,
    backlog.next_due_at,
    case
        when backlog.oldest_due_at is not null
            then greatest(
                date_diff(
                    'day',
                    cast(backlog.oldest_due_at at time zone '{{ var("reporting_timezone") }}' as date),
                    clock.today
                ),
                0
            )
    end as days_overdue_at_most,
    coalesce(account_links.accounts, 0) as accounts
from backlog
cross join clock
left join {{ ref('stg_users') }} as owners on backlog.owner_id = owners.user_id
left join account_links on backlog.owner_id is not distinct from account_links.owner_id
