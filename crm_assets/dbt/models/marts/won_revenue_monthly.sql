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
),

-- The average is rounded to hundredths, half away from zero, without "/": DuckDB divides decimals as doubles.
divided as (
    select
        *,
        won_amount * 100 as hundredths,
        won_amount * 100 % nullif(valued_deals, 0) as remainder
    from monthly
)

select
    divided.month,
    coalesce(cast(divided.owner_id as varchar), 'unassigned') as owner,
    divided.owner_id,
    owners.user_name as owner_name,
    divided.won_deals,
    divided.won_amount,
    cast(
        cast(divided.hundredths - divided.remainder as hugeint) // divided.valued_deals
        + case when 2 * abs(divided.remainder) >= divided.valued_deals then sign(divided.remainder) else 0 end
        as decimal(36, 0)
    ) * 0.01 as average_won_amount,
    round(divided.average_days_to_win, 1) as average_days_to_win,
    divided.median_days_to_win,
    divided.back_dated_deals,
    divided.deals_without_closed_date,
    cast(sum(divided.won_deals) over owner_to_date as bigint) as running_won_deals,
    sum(divided.won_amount) over owner_to_date as running_won_amount
from divided
left join {{ ref('stg_users') }} as owners on divided.owner_id = owners.user_id
window owner_to_date as (partition by divided.owner_id order by divided.month)
