with named as (
    select
        'contact' as record,
        contact_id as record_id,
        account_id
    from {{ ref('stg_contacts') }}
    where not is_deleted
    union all
    select
        'won deal' as record,
        deal_id as record_id,
        account_id
    from {{ ref('stg_won_deals') }}
    where not is_deleted
    union all
    select
        activity_type as record,
        activity_id as record_id,
        account_id
    from {{ ref('stg_activity_accounts') }}
    union all
    select
        'account' as record,
        account_id as record_id,
        parent_account_id as account_id
    from {{ ref('stg_accounts') }}
    where not is_deleted
)

select named.*
from named
left join {{ ref('account_overview') }} as listed on named.account_id = listed.account_id
where named.account_id is not null and listed.account_id is null
