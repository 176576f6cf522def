-- One row per month: the last 24 months, with those in which nothing was won.
with latest as (
    select max_by(snapshot_date, taken_at) as today from marts.pipeline_health_daily
),

months as (
    select
        cast(
            unnest(
                generate_series(
                    date_trunc('month', today) - interval 23 month,
                    date_trunc('month', today),
                    interval 1 month
                )
            ) as date
        ) as month
    from latest
),

won as (
    select
        month,
        sum(won_amount) as won_amount,
        sum(won_deals) as won_deals,
        sum(target_amount) as target_amount
    from marts.owner_month
    group by month
)

select
    months.month,
    coalesce(won.won_amount, 0) as won_amount,
    cast(coalesce(won.won_deals, 0) as bigint) as won_deals,
    won.target_amount
from months
left join won on months.month = won.month
order by months.month
