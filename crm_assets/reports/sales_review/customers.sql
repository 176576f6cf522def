-- One row per customer: the ten who brought most in the last 12 months.
select
    revenue_rank_12m,
    account_name as customer,
    coalesce(owner_name, cast(owner_id as varchar), 'unassigned') as owner,
    won_amount_12m,
    won_amount_prior_12m,
    cumulative_share_12m
from marts.customer_value
where revenue_rank_12m <= 10
order by revenue_rank_12m
