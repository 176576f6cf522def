with today as (
    select now() at time zone '{{ var("reporting_timezone") }}' as local_time
),

months as (
    select
        cast(local_time as date) as today,
        cast(date_trunc('month', local_time) as date) as this_month,
        cast(date_trunc('month', local_time) - interval 1 month as date) as last_month,
        {{ fiscal_year_from('local_time') }} as this_year
    from today
),

account_counts as (
    select
        owner_id,
        count(*) as accounts
    from {{ ref('stg_accounts') }}
    where not is_deleted
    group by owner_id
),

contact_counts as (
    select
        owner_id,
        count(*) as contacts
    from {{ ref('stg_contacts') }}
    where not is_deleted
    group by owner_id
),

deals as (
    select
        won.owner_id,
        won.won_on,
        won.won_amount,
        won.days_to_win,
        won.won_on between months.this_month and months.today as in_this_month,
        won.won_on >= months.last_month and won.won_on < months.this_month as in_last_month,
        won.won_on between months.this_year and months.today as in_this_year
    from {{ ref('stg_won_deals') }} as won
    cross join months
    where not won.is_deleted
),

deal_sums as (
    select
        owner_id,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount,
        count(won_amount) as valued_deals,
        median(days_to_win) as median_days_to_win,
        max(won_on) as last_won_on,
        count(*) filter (where in_this_month) as won_deals_this_month,
        coalesce(sum(won_amount) filter (where in_this_month), 0) as won_amount_this_month,
        count(*) filter (where in_last_month) as won_deals_last_month,
        coalesce(sum(won_amount) filter (where in_last_month), 0) as won_amount_last_month,
        coalesce(sum(won_amount) filter (where in_this_year), 0) as won_amount_this_year
    from deals
    group by owner_id
),

task_sums as (
    select
        owner_id,
        count(*) as open_tasks,
        count(*) filter (where due_at < now()) as overdue_tasks
    from {{ ref('stg_open_tasks') }}
    where is_open
    group by owner_id
),

-- An appointment has no owner: it counts for the user who entered it, if known.
meeting_sums as (
    select
        stg_past_appointments.creator_id as owner_id,
        count(*) as meetings_30_days
    from {{ ref('stg_past_appointments') }}
    cross join months
    where stg_past_appointments.held_on between months.today - 29 and months.today
    group by stg_past_appointments.creator_id
),

owners as (
    select owner_id from account_counts
    union
    select owner_id from contact_counts
    union
    select owner_id from deal_sums
    union
    select owner_id from task_sums
    union
    select owner_id from meeting_sums
)

select
    coalesce(cast(owners.owner_id as varchar), 'unassigned') as owner,
    owners.owner_id,
    users.user_name as owner_name,
    users.is_active as owner_is_active,
    coalesce(account_counts.accounts, 0) as accounts,
    coalesce(contact_counts.contacts, 0) as contacts,
    coalesce(deal_sums.won_deals, 0) as won_deals,
    coalesce(deal_sums.won_amount, 0) as won_amount,
    {{ divided('deal_sums.won_amount', 'deal_sums.valued_deals') }} as average_won_amount,
    deal_sums.median_days_to_win,
    deal_sums.last_won_on,
    coalesce(deal_sums.won_deals_this_month, 0) as won_deals_this_month,
    coalesce(deal_sums.won_amount_this_month, 0) as won_amount_this_month,
    coalesce(deal_sums.won_deals_last_month, 0) as won_deals_last_month,
    coalesce(deal_sums.won_amount_last_month, 0) as won_amount_last_month,
    coalesce(deal_sums.won_amount_this_year, 0) as won_amount_this_year,
    coalesce(task_sums.open_tasks, 0) as open_tasks,
    coalesce(task_sums.overdue_tasks, 0) as overdue_tasks,
    coalesce(meeting_sums.meetings_30_days, 0) as meetings_30_days
from owners
left join {{ ref('stg_users') }} as users on owners.owner_id = users.user_id
left join account_counts on owners.owner_id is not distinct from account_counts.owner_id
left join contact_counts on owners.owner_id is not distinct from contact_counts.owner_id
left join deal_sums on owners.owner_id is not distinct from deal_sums.owner_id
left join task_sums on owners.owner_id is not distinct from task_sums.owner_id
left join meeting_sums on owners.owner_id is not distinct from meeting_sums.owner_id
