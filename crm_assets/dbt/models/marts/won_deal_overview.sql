with deals as (
    select * from {{ ref('stg_won_deals') }}
    where not is_deleted
),

accounts as (
    select
        account_id,
        account_name,
        country
    from {{ ref('stg_accounts') }}
)

select
    deals.deal_id,
    deals.deal_name,
    deals.account_id,
    accounts.account_name,
    accounts.country as account_country,
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
    deals.won_on,
    deals.won_on_source,
    deals.won_amount,
    deals.amount_source,
    deals.amount,
    deals.currency_id,
    deals.expected_close_on,
    date_diff('day', deals.expected_close_on, deals.won_on) as days_after_expected_close,
    deals.days_to_win,
    deals.is_back_dated,
    case
        when deals.account_id is not null
            then deals.won_on = min(deals.won_on) over (partition by deals.account_id)
    end as is_from_new_customer,
    deals.last_activity_at
from deals
left join accounts on deals.account_id = accounts.account_id
left join {{ ref('stg_users') }} as owners on deals.owner_id = owners.user_id
left join {{ ref('stg_deal_stages') }} as stages on deals.stage_id = stages.stage_id
left join {{ ref('stg_names') }} as pipelines
    on pipelines.array_name = 'deal_pipelines' and deals.pipeline_id = pipelines.record_id
left join {{ ref('stg_names') }} as types
    on types.array_name = 'deal_types' and deals.deal_type_id = types.record_id
left join {{ ref('stg_names') }} as sources
    on sources.array_name = 'lead_sources' and deals.lead_source_id = sources.record_id
