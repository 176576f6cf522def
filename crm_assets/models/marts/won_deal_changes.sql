with versions as (
    select
        deal_id,
        account_id,
        owner_id,
        won_amount,
        won_on,
        dbt_valid_from at time zone 'UTC' as seen_at,
        dbt_is_deleted = 'True' as is_gone,
        row_number() over deal as version,
        lag(dbt_is_deleted = 'True') over deal as was_gone,
        lag(won_amount) over deal as amount_before,
        lag(owner_id) over deal as owner_id_before,
        lag(won_on) over deal as won_on_before
    from snapshots.won_deals_history
    window deal as (partition by deal_id order by dbt_valid_from)
),

compared as (
    select
        *,
        coalesce(won_amount = amount_before, won_amount is null and amount_before is null) as same_amount,
        coalesce(owner_id = owner_id_before, owner_id is null and owner_id_before is null) as same_owner,
        coalesce(won_on = won_on_before, won_on is null and won_on_before is null) as same_date
    from versions
)

select
    deal_id,
    version,
    seen_at,
    case
        when version = 1 then 'first seen'
        when is_gone then 'reopened'
        when was_gone then 'won again'
        when not same_amount then 'amount'
        when not same_owner then 'owner'
        when not same_date then 'date'
        else 'other'
    end as change,
    account_id,
    owner_id_before,
    owner_id,
    amount_before,
    won_amount,
    case when version > 1 then coalesce(won_amount, 0) - coalesce(amount_before, 0) end as amount_change,
    won_on
from compared
