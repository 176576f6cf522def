-- The amounts at first and all changes since add up to the amount of the deals that are won now.
with changed as (
    select
        deal_id,
        sum(case when version = 1 then coalesce(won_amount, 0) else amount_change end) as won_amount
    from {{ ref('won_deal_changes') }}
    group by deal_id
),

won as (
    select
        deal_id,
        coalesce(won_amount, 0) as won_amount
    from {{ ref('won_deals_history') }}
    where dbt_valid_to is null and dbt_is_deleted = 'False' and is_deleted is null
)

select
    coalesce(changed.deal_id, won.deal_id) as deal_id,
    changed.won_amount as amount_by_changes,
    won.won_amount as amount_now
from changed
full outer join won on changed.deal_id = won.deal_id
where coalesce(changed.won_amount, 0) <> coalesce(won.won_amount, 0)
