with won as (
    select
        month,
        owner_id,
        won_deals,
        won_amount
    from marts.won_revenue_monthly
),

targets as (
    select
        month,
        owner_id,
        target_amount
    from seeds.owner_targets
),

joined as (
    select
        coalesce(won.month, targets.month) as month,
        coalesce(won.owner_id, targets.owner_id) as owner_id,
        coalesce(won.won_deals, 0) as won_deals,
        coalesce(won.won_amount, 0) as won_amount,
        targets.target_amount
    from won
    full outer join targets
        on won.month = targets.month and won.owner_id = targets.owner_id
)

select
    month,
    coalesce(cast(owner_id as varchar), 'unassigned') as owner,
    owner_id,
    won_deals,
    won_amount,
    target_amount,
    won_amount - target_amount as difference,
    cast(won_amount / nullif(target_amount, 0) as decimal(18, 4)) as attainment,
    sum(won_amount) over year_to_date as won_amount_this_year,
    sum(target_amount) over year_to_date as target_amount_this_year
from joined
window year_to_date as (partition by owner_id, date_trunc('year', month) order by month)
