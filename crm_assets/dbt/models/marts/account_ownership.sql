with owned as (
    select
        account_id,
        owner_id,
        dbt_valid_from at time zone 'UTC' as owned_from,
        dbt_valid_to at time zone 'UTC' as owned_until,
        lag(owner_id) over account as owner_id_before,
        lag(dbt_valid_to at time zone 'UTC') over account as until_before
    from {{ ref('accounts_history') }}
    window account as (partition by account_id order by dbt_valid_from)
),

-- A row with only another territory continues the period of the same owner.
continued as (
    select
        *,
        coalesce(owned_from = until_before, false)
        and coalesce(owner_id = owner_id_before, owner_id is null and owner_id_before is null) as is_continued
    from owned
),

numbered as (
    select
        *,
        count(*) filter (where not is_continued) over account as spell
    from continued
    window account as (partition by account_id order by owned_from)
),

spells as (
    select
        account_id,
        any_value(owner_id) as owner_id,
        min(owned_from) as owned_from,
        case when count(*) = count(owned_until) then max(owned_until) end as owned_until
    from numbered
    group by account_id, spell
)

select
    spells.account_id,
    accounts.account_name,
    spells.owner_id,
    owners.user_name as owner_name,
    spells.owned_from,
    spells.owned_until,
    spells.owned_until is null as is_current,
    -- A build whose clock was ahead may have noted the beginning.
    greatest(
        date_diff(
            'day',
            cast(spells.owned_from at time zone '{{ var("reporting_timezone") }}' as date),
            cast(coalesce(spells.owned_until, now()) at time zone '{{ var("reporting_timezone") }}' as date)
        ),
        0
    ) as days_owned
from spells
left join {{ ref('stg_accounts') }} as accounts on spells.account_id = accounts.account_id
left join {{ ref('stg_users') }} as owners on spells.owner_id = owners.user_id
