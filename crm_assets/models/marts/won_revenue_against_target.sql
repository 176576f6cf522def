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
    joined.month,
    coalesce(cast(joined.owner_id as varchar), 'unassigned') as owner,
    joined.owner_id,
    owners.user_name as owner_name,
    joined.won_deals,
    joined.won_amount,
    joined.target_amount,
    joined.won_amount - joined.target_amount as difference,
    cast(joined.won_amount / nullif(joined.target_amount, 0) as decimal(18, 4)) as attainment,
    sum(joined.won_amount) over year_to_date as won_amount_this_year,
    sum(joined.target_amount) over year_to_date as target_amount_this_year
from joined
left join staging.stg_users as owners on joined.owner_id = owners.user_id
window year_to_date as (partition by joined.owner_id, date_trunc('year', joined.month) order by joined.month)
