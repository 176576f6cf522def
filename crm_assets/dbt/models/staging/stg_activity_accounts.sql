with targets as (
    select * from {{ ref('stg_activity_targets') }}
),

contacts as (
    select
        contact_id,
        account_id as main_account_id,
        unnest(account_ids) as account_id
    from {{ ref('stg_contacts') }}
),

-- The closer the account, the smaller the distance.
found as (
    select
        activity_type,
        activity_id,
        target_id as account_id,
        1 as distance
    from targets
    where target_type = 'SalesAccount'
    union all
    select
        targets.activity_type,
        targets.activity_id,
        contacts.account_id,
        case when contacts.account_id = contacts.main_account_id then 2 else 4 end as distance
    from targets
    inner join contacts on targets.target_id = contacts.contact_id
    where targets.target_type = 'Contact'
    union all
    select
        targets.activity_type,
        targets.activity_id,
        deals.account_id,
        3 as distance
    from targets
    inner join {{ ref('stg_won_deals') }} as deals on targets.target_id = deals.deal_id
    where targets.target_type = 'Deal' and deals.account_id is not null
),

-- An activity reached by several ways counts once for the account.
combined as (
    select
        activity_type,
        activity_id,
        account_id,
        min(distance) as distance
    from found
    group by activity_type, activity_id, account_id
)

select
    activity_type,
    activity_id,
    account_id,
    row_number() over (
        partition by activity_type, activity_id
        order by distance asc, account_id asc
    ) = 1 as is_main
from combined
