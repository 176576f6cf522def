-- One row per account: the 15 without contact for the longest time, or since they were entered.
with latest as (
    select max(snapshot_date) as today from marts.pipeline_health_daily
),

accounts as (
    select
        account_overview.account_id,
        account_overview.account_name,
        coalesce(
            account_overview.owner_name, cast(account_overview.owner_id as varchar), 'unassigned'
        ) as owner,
        cast(account_overview.last_activity_at as date) as last_activity,
        date_diff(
            'day',
            cast(coalesce(account_overview.last_activity_at, account_overview.created_at) as date),
            latest.today
        ) as days,
        cast(account_overview.won_amount as double) as won_amount
    from marts.account_overview
    cross join latest
)

select
    account_name as account,
    owner,
    last_activity,
    days,
    won_amount
from accounts
order by days desc nulls last, account_id asc
limit 15
