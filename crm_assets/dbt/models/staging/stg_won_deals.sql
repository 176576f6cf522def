-- won_on is the CRM's closing date; without one, the day on which the stage of the deal last changed, or else
-- on which the deal was entered. Not that of the last change: it moves with each edit. The first version in
-- won_deals_history cannot be used, since that history reads this view.
-- No "*" of the list: a field that the CRM adds may be called like a column that is computed here.
with deals as (
    select
        -- keys
        id as deal_id,
        sales_account_id as account_id,
        owner_id,
        deal_pipeline_id as pipeline_id,
        deal_stage_id as stage_id,
        deal_type_id,
        deal_reason_id,
        deal_product_id as product_id,
        deal_payment_status_id as payment_status_id,
        lead_source_id,
        campaign_id,
        territory_id,
        currency_id,
        web_form_id,

        -- what
        name as deal_name,
        amount,
        base_currency_amount,
        expected_deal_value,
        probability,
        forecast_category,
        deal_prediction,
        has_products,
        products,

        -- when
        coalesce(
            closed_date,
            cast(
                coalesce(stage_updated_time, created_at)
                at time zone '{{ var("reporting_timezone") }}' as date
            )
        ) as won_on,
        case
            when closed_date is not null then 'closed_on'
            when stage_updated_time is not null then 'stage_updated_at'
            when created_at is not null then 'created_at'
        end as won_on_source,
        cast(created_at at time zone '{{ var("reporting_timezone") }}' as date) as created_on,
        closed_date as closed_on,
        expected_close as expected_close_on,
        age as crm_age_days,
        stage_updated_time as stage_updated_at,
        deal_prediction_last_updated_at as deal_prediction_updated_at,

        -- contact history
        last_contacted_via_sales_activity as last_activity_at,
        last_contacted_sales_activity_mode as last_activity_mode,
        upcoming_activities_time as next_activity_at,
        recent_note,

        -- free-form
        case when json_type(tags) = 'ARRAY' then try_cast(tags as varchar[]) end as tags,
        custom_field as custom_fields,

        -- life cycle
        last_assigned_at,
        created_at,
        updated_at,
        coalesce(is_deleted, false) as is_deleted,
        _dlt_load_id as last_seen_load_id
    from {{ source('present', 'won_deals') }}
),

-- If most deals have an amount in the company's currency, the CRM converts, and could not convert the others.
-- Read from the source: a CTE with several readers is computed with all its columns.
conversion as (
    select 2 * count(base_currency_amount) >= count(amount) as is_usual
    from {{ source('present', 'won_deals') }}
),

-- The company's currency: that in which most amounts are the converted ones.
own_currencies as (
    select currency_id
    from {{ source('present', 'won_deals') }}
    where currency_id is not null and amount <> 0 and base_currency_amount is not null
    group by currency_id
    having 2 * count(*) filter (where amount = base_currency_amount) > count(*)
),

sourced as (
    select
        deals.*,
        case
            when coalesce(deals.base_currency_amount, deals.amount) is null then null
            -- Sums have 29 digits.
            when abs(coalesce(deals.base_currency_amount, deals.amount)) >= 1e21 then 'too large'
            when deals.base_currency_amount is not null then 'base'
            when own_currencies.currency_id is not null then 'same currency'
            when conversion.is_usual then 'not converted'
            else 'unknown currency'
        end as amount_source
    from deals
    cross join conversion
    left join own_currencies on deals.currency_id = own_currencies.currency_id
)

select
    * exclude (created_on),
    case
        when amount_source not in ('not converted', 'too large') then coalesce(base_currency_amount, amount)
    end as won_amount,
    case
        when won_on >= created_on and won_on_source <> 'created_at' then date_diff('day', created_on, won_on)
    end as days_to_win,
    coalesce(won_on < created_on, false) as is_back_dated
from sourced
