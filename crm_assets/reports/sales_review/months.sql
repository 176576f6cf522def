-- One row per month: the last 24 months, with those in which nothing was won.
-- Deals dated after today do not count.
with months as (
    select
        unnest(
            generate_series(
                date_trunc('month', getvariable('today')) - interval 23 month,
                date_trunc('month', getvariable('today')),
                interval 1 month
            )
        ) as month
),

won as (
    select
        month,
        sum(won_amount_to_date) as won_amount,
        sum(target_amount) as target_amount
    from marts.owner_month
    group by month
)

select
    cast(months.month as date) as month,
    coalesce(won.won_amount, 0) as won_amount,
    won.target_amount
from months
left join won on months.month = won.month
order by months.month
