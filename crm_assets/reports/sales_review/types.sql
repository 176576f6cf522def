-- One row per revenue type: what was won in the last 12 months, and in the 12 before.
-- Deals without a known account are a type of their own, if there are any.
with types as (
    select *
    from (values (1, 'first'), (2, 'repeat'), (3, 'won back'), (4, 'unknown')) as types (place, revenue_type) -- noqa
),

deals as (
    select
        coalesce(revenue_type, 'unknown') as revenue_type,
        won_amount,
        won_on > getvariable('today') - interval 12 month as is_recent
    from marts.won_deal_overview
    where won_on > getvariable('today') - interval 24 month and won_on <= getvariable('today')
)

select
    types.revenue_type,
    coalesce(sum(deals.won_amount) filter (where deals.is_recent), 0) as won_amount_12m,
    coalesce(sum(deals.won_amount) filter (where not deals.is_recent), 0) as won_amount_prior_12m
from types
left join deals on types.revenue_type = deals.revenue_type
group by types.place, types.revenue_type
having types.place < 4 or count(deals.revenue_type) > 0
order by types.place
