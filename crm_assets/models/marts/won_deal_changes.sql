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
    compared.deal_id,
    compared.version,
    compared.seen_at,
    case
        when compared.version = 1 then 'first seen'
        when compared.is_gone then 'reopened'
        when compared.was_gone then 'won again'
        when not compared.same_amount then 'amount'
        when not compared.same_owner then 'owner'
        when not compared.same_date then 'date'
        else 'other'
    end as change,
    compared.account_id,
    accounts.account_name,
    compared.owner_id_before,
    earlier_owners.user_name as owner_name_before,
    compared.owner_id,
    owners.user_name as owner_name,
    compared.amount_before,
    compared.won_amount,
    case
        when compared.version > 1
            then coalesce(compared.won_amount, 0) - coalesce(compared.amount_before, 0)
    end as amount_change,
    compared.won_on
from compared
left join staging.stg_accounts as accounts on compared.account_id = accounts.account_id
left join staging.stg_users as owners on compared.owner_id = owners.user_id
left join staging.stg_users as earlier_owners
    on compared.owner_id_before = earlier_owners.user_id
