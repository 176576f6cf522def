with history as (
    select
        deal_id,
        account_id,
        owner_id,
        won_amount,
        won_on,
        dbt_valid_from at time zone 'UTC' as seen_at,
        case
            when dbt_is_deleted = 'True' then 'not listed'
            when is_deleted then 'in the bin'
            else 'won'
        end as state
    from {{ ref('won_deals_history') }}
),

followed as (
    select
        *,
        lag(state) over deal as state_before
    from history
    window deal as (partition by deal_id order by seen_at)
),

-- What happens to a deal while it is not won is no change of a won deal.
versions as (
    select
        deal_id,
        account_id,
        owner_id,
        won_amount,
        won_on,
        seen_at,
        state,
        row_number() over deal as version,
        lag(state) over deal as state_before,
        lag(won_amount) over deal as amount_before,
        lag(owner_id) over deal as owner_id_before,
        lag(won_on) over deal as won_on_before
    from followed
    where state = 'won' or state_before = 'won'
    window deal as (partition by deal_id order by seen_at)
),

compared as (
    select
        *,
        case when state = 'won' then coalesce(won_amount, 0) else 0 end as counted,
        case when state_before = 'won' then coalesce(amount_before, 0) else 0 end as counted_before,
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
        when compared.state = 'in the bin' then 'deleted'
        when compared.state = 'not listed' then 'reopened'
        when compared.state_before = 'in the bin' then 'restored'
        when compared.state_before = 'not listed' then 'won again'
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
    case when compared.version > 1 then compared.counted - compared.counted_before end as amount_change,
    compared.won_on
from compared
left join {{ ref('stg_accounts') }} as accounts on compared.account_id = accounts.account_id
left join {{ ref('stg_users') }} as owners on compared.owner_id = owners.user_id
left join {{ ref('stg_users') }} as earlier_owners
    on compared.owner_id_before = earlier_owners.user_id
