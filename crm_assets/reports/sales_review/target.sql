-- One row per period, this month and this fiscal year: what was won up to today, and what was to be won.
with this_year as (
    select max(fiscal_year_from) as year_from
    from marts.owner_month
    where month = date_trunc('month', getvariable('today'))
),

months as (
    select
        owner_month.*,
        owner_month.month = date_trunc('month', getvariable('today')) as is_this_month
    from marts.owner_month
    inner join this_year on owner_month.fiscal_year_from = this_year.year_from
),

owners as (
    select
        periods.period,
        max(if(periods.period = 'this month', months.month, months.fiscal_year_from)) as period_from,
        sum(months.won_amount_to_date) as won_amount,
        sum(months.target_to_date) as target_to_date,
        sum(months.target_amount) as target_amount
    from months
    inner join (values ('this month'), ('this year')) as periods (period)
        on months.is_this_month or periods.period = 'this year'
    group by periods.period, months.owner
)

select
    period,
    period_from,
    sum(won_amount) as won_amount,
    sum(target_to_date) as target_to_date,
    sum(won_amount) - sum(target_to_date) as ahead,
    sum(target_amount) as target_amount,
    coalesce(sum(won_amount) filter (where target_amount is null), 0) as won_without_target,
    count(*) filter (where target_to_date > 0) as owners_with_target,
    count(*) filter (where target_to_date > 0 and won_amount >= target_to_date) as owners_on_target
from owners
group by period, period_from
order by period
