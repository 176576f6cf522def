with deals as (
    select
        *,
        cast(date_trunc('month', won_on) as date) as month
    from staging.stg_won_deals
    where not is_deleted and won_on is not null
),

monthly as (
    select
        month,
        owner_id,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount,
        sum(won_amount) / nullif(count(won_amount), 0) as average_won_amount,
        avg(days_to_win) as average_days_to_win,
        median(days_to_win) as median_days_to_win,
        count(*) filter (where is_back_dated) as back_dated_deals,
        count(*) filter (where closed_on is null) as deals_without_closed_date
    from deals
    group by month, owner_id
)

select
    month,
    coalesce(cast(owner_id as varchar), 'unassigned') as owner,
    owner_id,
    won_deals,
    won_amount,
    cast(average_won_amount as decimal(38, 2)) as average_won_amount,
    round(average_days_to_win, 1) as average_days_to_win,
    median_days_to_win,
    back_dated_deals,
    deals_without_closed_date,
    cast(sum(won_deals) over owner_to_date as bigint) as running_won_deals,
    sum(won_amount) over owner_to_date as running_won_amount
from monthly
window owner_to_date as (partition by owner_id order by month)
