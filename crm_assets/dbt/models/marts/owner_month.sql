with clock as (
    select
        today,
        cast(date_trunc('month', today) as date) as this_month
    from (select cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as today)
),

-- A deal without any date has no month.
won as (
    select
        deals.owner_id,
        cast(date_trunc('month', deals.won_on) as date) as month,
        count(*) as won_deals,
        coalesce(sum(deals.won_amount), 0) as won_amount,
        count(*) filter (where deals.won_on <= clock.today) as won_deals_to_date,
        coalesce(sum(deals.won_amount) filter (where deals.won_on <= clock.today), 0) as won_amount_to_date
    from {{ ref('stg_won_deals') }} as deals
    cross join clock
    where not deals.is_deleted
    group by all
),

users as (
    select user_id from {{ ref('stg_users') }}
    union
    select owner_id as user_id from won
),

-- The sandbox's targets count in the CRM that has all their owners, if there are no others.
written as (
    select
        owner_id,
        month,
        target_amount
    from {{ ref('owner_targets') }}
    union all
    select
        owner_id,
        month,
        target_amount
    from {{ ref('sandbox_targets') }}
    where
        not exists (from {{ ref('owner_targets') }})
        and not exists (
            select of_sandbox.owner_id
            from {{ ref('sandbox_targets') }} as of_sandbox
            anti join users on of_sandbox.owner_id = users.user_id
        )
),

-- Several CRMs share the file of targets. The users are known if a list's `include` asks for them.
targets as (
    select
        written.owner_id,
        written.month,
        written.target_amount
    from written
    left join users on written.owner_id = users.user_id
    where users.user_id is not null or not exists (from {{ ref('stg_users') }})
),

existing as (
    select
        owner_id,
        month
    from won
    union
    select
        owner_id,
        month
    from targets
),

-- A year that was mistyped has a row, but not the thousand years before and after it. This month has one
-- in any case.
bounds as (
    select
        least(
            greatest(
                min(coalesce(existing.month, clock.this_month)), min(clock.this_month) - interval 30 year
            ),
            min(clock.this_month)
        ) as first_month,
        least(
            greatest(max(existing.month), min(clock.this_month)), min(clock.this_month) + interval 10 year
        ) as last_month
    from existing
    cross join clock
),

months as (
    select unnest(generate_series(first_month, last_month, interval 1 month)) as month
    from bounds
),

spine as (
    select
        owners.owner_id,
        cast(months.month as date) as month
    from (select distinct owner_id from existing) as owners
    cross join months
    union
    select
        owner_id,
        month
    from existing
),

joined as (
    select
        spine.owner_id,
        spine.month,
        {{ fiscal_year_from('spine.month') }} as fiscal_year_from,
        coalesce(won.won_deals, 0) as won_deals,
        coalesce(won.won_amount, 0) as won_amount,
        coalesce(won.won_deals_to_date, 0) as won_deals_to_date,
        coalesce(won.won_amount_to_date, 0) as won_amount_to_date,
        targets.target_amount,
        spine.month < clock.this_month as is_complete,
        date_diff('day', spine.month, spine.month + interval 1 month) as days,
        date_diff('day', spine.month, clock.today) + 1 as days_passed
    from spine
    cross join clock
    left join won
        on spine.owner_id is not distinct from won.owner_id and spine.month is not distinct from won.month
    left join targets on spine.owner_id = targets.owner_id and spine.month = targets.month
),

dated as (
    select
        *,
        {{ divided('target_amount * greatest(least(days_passed, days), 0)', 'days') }} as target_to_date
    from joined
)

select
    dated.month,
    coalesce(cast(dated.owner_id as varchar), 'unassigned') as owner,
    dated.owner_id,
    users.user_name as owner_name,
    dated.fiscal_year_from,
    dated.won_deals,
    dated.won_amount,
    dated.target_amount,
    dated.is_complete,
    dated.won_amount_to_date,
    dated.target_to_date,
    {{ share('dated.won_amount_to_date', 'dated.target_to_date') }} as attainment_to_date,
    cast(sum(dated.won_deals_to_date) over year_to_date as bigint) as won_deals_this_year,
    sum(dated.won_amount_to_date) over year_to_date as won_amount_this_year,
    sum(dated.target_to_date) over year_to_date as target_this_year,
    {{ share(
        'sum(dated.won_amount_to_date) over year_to_date', 'sum(dated.target_to_date) over year_to_date'
    ) }} as attainment_this_year,
    case
        when dated.month is not null then cast(sum(dated.won_deals) over to_date as bigint)
    end as running_won_deals,
    case when dated.month is not null then sum(dated.won_amount) over to_date end as running_won_amount
from dated
left join {{ ref('stg_users') }} as users on dated.owner_id = users.user_id
window
    year_to_date as (partition by dated.owner_id, dated.fiscal_year_from order by dated.month),
    to_date as (partition by dated.owner_id order by dated.month)
