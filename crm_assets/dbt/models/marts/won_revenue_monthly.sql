with deals as (
    select
        *,
        cast(date_trunc('month', won_on) as date) as month
    from {{ ref('stg_won_deals') }}
    where not is_deleted and won_on is not null
),

monthly as (
    select
        month,
        owner_id,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount,
        count(won_amount) as valued_deals,
        avg(days_to_win) as average_days_to_win,
        median(days_to_win) as median_days_to_win,
        count(*) filter (where is_back_dated) as back_dated_deals,
        count(*) filter (where closed_on is null) as deals_without_closed_date
    from deals
    group by month, owner_id
)

select
    monthly.month,
    coalesce(cast(monthly.owner_id as varchar), 'unassigned') as owner,
    monthly.owner_id,
    owners.user_name as owner_name,
    monthly.won_deals,
    monthly.won_amount,
    {{ divided('monthly.won_amount', 'monthly.valued_deals') }} as average_won_amount,
    round(monthly.average_days_to_win, 1) as average_days_to_win,
    monthly.median_days_to_win,
    monthly.back_dated_deals,
    monthly.deals_without_closed_date
from monthly
left join {{ ref('stg_users') }} as owners on monthly.owner_id = owners.user_id
