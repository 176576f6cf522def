with source as (
    select * from raw.contacts
),

last_complete_read as (
    select max(_dlt_load_id) as load_id
    from raw.sync_log
    where resource = 'contacts' and mode = 'full' and complete
),

present as (
    select source.*
    from source
    cross join last_complete_read
    where last_complete_read.load_id is null or source._dlt_load_id >= last_complete_read.load_id
),

listed as (
    select
        id,
        case when json_type(sales_accounts) = 'ARRAY' then try_cast(sales_accounts as json[]) end as accounts
    from present
),

-- One row an account sent along with a contact, numbered as sent.
sent_along as (
    select
        id,
        unnest(accounts) as account,
        generate_subscripts(accounts, 1) as place
    from listed
),

identified as (
    select
        id,
        place,
        try_cast(json_extract_string(account, '$.id') as bigint) as account_id,
        coalesce(json_extract_string(account, '$.is_primary') = 'true', false) as is_primary
    from sent_along
),

-- The one that is marked as primary, or else the first.
main_accounts as (
    select
        id,
        account_id
    from identified
    where account_id is not null
    qualify row_number() over (partition by id order by is_primary desc, place asc) = 1
),

linked as (
    select
        present.*,
        coalesce(present.sales_account_id, main_accounts.account_id) as account_id
    from present
    left join main_accounts on present.id = main_accounts.id
),

renamed as (
    select
        -- keys
        id as contact_id,
        account_id,
        owner_id,
        territory_id,
        lead_source_id,
        campaign_id,
        contact_status_id,
        lifecycle_stage_id,
        mcr_id,
        nullif(trim(external_id), '') as external_id,

        -- who and where
        coalesce(
            nullif(trim(display_name), ''),
            nullif(trim(concat_ws(' ', trim(first_name), trim(last_name))), '')
        ) as full_name,
        nullif(trim(first_name), '') as first_name,
        nullif(trim(last_name), '') as last_name,
        nullif(trim(job_title), '') as job_title,
        nullif(trim(email), '') as email,
        nullif(trim(work_email), '') as work_email,
        emails,
        nullif(trim(work_number), '') as work_number,
        nullif(trim(mobile_number), '') as mobile_number,
        phone_numbers,
        nullif(trim(address), '') as address,
        nullif(trim(city), '') as city,
        nullif(trim(state), '') as state,
        nullif(trim(zipcode), '') as zipcode,
        nullif(trim(country), '') as country,
        nullif(trim(time_zone), '') as time_zone,
        nullif(trim(locale), '') as locale,
        nullif(trim(twitter), '') as twitter,
        nullif(trim(facebook), '') as facebook,
        nullif(trim(linkedin), '') as linkedin,

        -- where the contact came from
        nullif(trim(medium), '') as medium,
        nullif(trim(keyword), '') as keyword,
        nullif(trim(first_source), '') as first_source,
        nullif(trim(first_medium), '') as first_medium,
        nullif(trim(first_campaign), '') as first_campaign,
        nullif(trim(last_source), '') as last_source,
        nullif(trim(last_medium), '') as last_medium,
        nullif(trim(last_campaign), '') as last_campaign,
        nullif(trim(latest_source), '') as latest_source,
        nullif(trim(latest_medium), '') as latest_medium,
        nullif(trim(latest_campaign), '') as latest_campaign,

        -- what may be sent
        subscription_status,
        nullif(trim(subscription_types), '') as subscription_types,
        sms_subscription_status,
        whatsapp_subscription_status,
        nullif(trim(unsubscription_reason), '') as unsubscription_reason,
        nullif(trim(other_unsubscription_reason), '') as other_unsubscription_reason,

        -- what the CRM itself counts
        lead_score,
        customer_fit,
        open_deals_count as crm_open_deals,
        open_deals_amount as crm_open_deals_amount,
        won_deals_count as crm_won_deals,
        won_deals_amount as crm_won_deals_amount,
        try_cast(total_sessions as bigint) as chat_sessions,

        -- contact history
        last_contacted as last_contacted_at,
        nullif(trim(last_contacted_mode), '') as last_contacted_mode,
        last_contacted_via_sales_activity as last_activity_at,
        nullif(trim(last_contacted_sales_activity_mode), '') as last_activity_mode,
        last_seen as last_seen_at,
        first_seen_chat as first_seen_chat_at,
        last_seen_chat as last_seen_chat_at,
        nullif(trim(recent_note), '') as recent_note,

        -- free-form
        case when json_type(tags) = 'ARRAY' then try_cast(tags as varchar[]) end as tags,
        case
            when json_type(system_tags) = 'ARRAY' then try_cast(system_tags as varchar[])
        end as system_tags,
        custom_field as custom_fields,

        -- life cycle
        last_assigned_at,
        created_at,
        updated_at,
        coalesce(is_deleted, false) as is_deleted,
        _dlt_load_id as last_seen_load_id
    from linked
)

select * from renamed
