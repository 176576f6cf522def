with targets as (
    select * from {{ ref('stg_activity_targets') }}
),

of_accounts as (
    select
        activity_type,
        activity_id,
        target_id as account_id
    from targets
    where target_type = 'SalesAccount'
),

of_contacts as (
    select
        targets.activity_type,
        targets.activity_id,
        contacts.account_id
    from targets
    inner join {{ ref('stg_contacts') }} as contacts on targets.target_id = contacts.contact_id
    where targets.target_type = 'Contact' and contacts.account_id is not null
),

of_deals as (
    select
        targets.activity_type,
        targets.activity_id,
        deals.account_id
    from targets
    inner join {{ ref('stg_won_deals') }} as deals on targets.target_id = deals.deal_id
    where targets.target_type = 'Deal' and deals.account_id is not null
),

-- "union", not "union all": an activity reached by several ways counts once for the account.
combined as (
    select * from of_accounts
    union
    select * from of_contacts
    union
    select * from of_deals
)

select
    activity_type,
    activity_id,
    account_id
from combined
