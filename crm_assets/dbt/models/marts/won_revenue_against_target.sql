with won as (
    select
        month,
        owner_id,
        won_deals,
        won_amount
    from {{ ref('won_revenue_monthly') }}
),

other_crms as (
    select sync_details.base_url from {{ source('raw', 'sync_details') }}
    where sync_details.base_url <> 'the bundled sandbox'
),

-- The sandbox's targets count only with the sandbox, and only without targets of one's own.
written as (
    select
        month,
        owner_id,
        target_amount
    from {{ ref('owner_targets') }}
    union all
    select
        month,
        owner_id,
        target_amount
    from {{ ref('sandbox_targets') }}
    where not exists (from {{ ref('owner_targets') }}) and not exists (from other_crms)
),

users as (
    select user_id from {{ ref('stg_users') }}
    union
    select owner_id as user_id from won
),

-- Several CRMs share the file of targets. The users are known if a list's `include` asks for them.
targets as (
    select
        written.month,
        written.owner_id,
        written.target_amount
    from written
    left join users on written.owner_id = users.user_id
    where users.user_id is not null or not exists (from {{ ref('stg_users') }})
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
    cast(joined.won_amount / nullif(joined.target_amount, 0) as decimal(38, 4)) as attainment,
    sum(joined.won_amount) over year_to_date as won_amount_this_year,
    sum(joined.target_amount) over year_to_date as target_amount_this_year
from joined
left join {{ ref('stg_users') }} as owners on joined.owner_id = owners.user_id
window year_to_date as (partition by joined.owner_id, date_trunc('year', joined.month) order by joined.month)
