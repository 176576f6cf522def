with deals as (
    select * from {{ ref('stg_won_deals') }}
    where not is_deleted
),

accounts as (
    select
        account_id,
        account_name,
        country,
        industry_type_id,
        territory_id,
        is_deleted
    from {{ ref('stg_accounts') }}
),

names as (
    select * from {{ ref('stg_names') }}
),

meetings as (
    select
        links.account_id,
        appointments.held_on
    from {{ ref('stg_activity_accounts') }} as links
    inner join {{ ref('stg_past_appointments') }} as appointments
        on links.activity_id = appointments.appointment_id
    where links.activity_type = 'appointment'
),

met as (
    select
        deals.deal_id,
        count(*) filter (
            where
            meetings.held_on >= cast(deals.created_at at time zone '{{ var("reporting_timezone") }}' as date)
        ) as meetings_since_entry,
        max(meetings.held_on) as last_met_on
    from deals
    inner join meetings on deals.account_id = meetings.account_id and deals.won_on >= meetings.held_on
    group by deals.deal_id
),

numbered as (
    select
        *,
        case when account_id is not null then row_number() over customer end as customer_deal_number,
        lag(won_on) over customer as won_on_before
    from deals
    window customer as (partition by account_id order by won_on, deal_id)
)

select
    deals.deal_id,
    deals.deal_name,
    deals.account_id,
    accounts.account_name,
    coalesce(not accounts.is_deleted, false) as has_listed_account,
    accounts.country as account_country,
    accounts.industry_type_id,
    industries.record_name as industry_name,
    coalesce(deals.territory_id, accounts.territory_id) as territory_id,
    territories.record_name as territory_name,
    deals.owner_id,
    owners.user_name as owner_name,
    deals.pipeline_id,
    pipelines.record_name as pipeline_name,
    deals.stage_id,
    stages.stage_name,
    deals.deal_type_id,
    types.record_name as deal_type_name,
    deals.lead_source_id,
    sources.record_name as lead_source_name,
    deals.product_id,
    products.record_name as product,
    deals.won_on,
    deals.won_on_source,
    deals.won_amount,
    deals.amount_source,
    deals.amount,
    deals.currency_id,
    deals.customer_deal_number,
    case
        when deals.account_id is null then null
        when deals.customer_deal_number = 1 then 'first'
        when deals.won_on > deals.won_on_before + 365 then 'won back'
        else 'repeat'
    end as revenue_type,
    deals.expected_close_on,
    date_diff('day', deals.expected_close_on, deals.won_on) as days_after_expected_close,
    deals.days_to_win,
    deals.is_back_dated,
    case
        when
            deals.account_id is not null
            and deals.won_on is not null
            and deals.created_at is not null
            and not deals.is_back_dated
            then coalesce(met.meetings_since_entry, 0)
    end as meetings_before_win,
    date_diff('day', met.last_met_on, deals.won_on) as days_from_last_meeting_to_win,
    deals.last_activity_at
from numbered as deals
left join accounts on deals.account_id = accounts.account_id
left join met on deals.deal_id = met.deal_id
left join {{ ref('stg_users') }} as owners on deals.owner_id = owners.user_id
left join {{ ref('stg_deal_stages') }} as stages on deals.stage_id = stages.stage_id
left join names as industries
    on industries.array_name = 'industry_types' and accounts.industry_type_id = industries.record_id
left join names as territories
    on
        territories.array_name = 'territories'
        and coalesce(deals.territory_id, accounts.territory_id) = territories.record_id
left join names as pipelines
    on pipelines.array_name = 'deal_pipelines' and deals.pipeline_id = pipelines.record_id
left join names as types
    on types.array_name = 'deal_types' and deals.deal_type_id = types.record_id
left join names as sources
    on sources.array_name = 'lead_sources' and deals.lead_source_id = sources.record_id
left join names as products
    on products.array_name = 'deal_products' and deals.product_id = products.record_id
