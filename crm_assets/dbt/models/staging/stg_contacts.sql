-- No "*" of the list: a field that the CRM adds may be called like a column that is computed here.
with contacts as (
    select
        -- keys
        id as contact_id,
        sales_account_id as own_account_id,
        sales_accounts,
        owner_id,
        territory_id,
        lead_source_id,
        campaign_id,
        contact_status_id,
        lifecycle_stage_id,
        mcr_id,
        external_id,

        -- who and where
        coalesce(display_name, nullif(concat_ws(' ', first_name, last_name), '')) as full_name,
        first_name,
        last_name,
        job_title,
        email,
        work_email,
        emails,
        work_number,
        mobile_number,
        phone_numbers,
        address,
        city,
        state,
        zipcode,
        country,
        time_zone,
        locale,
        twitter,
        facebook,
        linkedin,

        -- where the contact came from
        medium,
        keyword,
        first_source,
        first_medium,
        first_campaign,
        last_source,
        last_medium,
        last_campaign,
        latest_source,
        latest_medium,
        latest_campaign,

        -- what may be sent
        subscription_status,
        subscription_types,
        sms_subscription_status,
        whatsapp_subscription_status,
        unsubscription_reason,
        other_unsubscription_reason,

        -- the CRM's own counts
        lead_score,
        customer_fit,
        open_deals_count as crm_open_deals,
        open_deals_amount as crm_open_deals_amount,
        won_deals_count as crm_won_deals,
        won_deals_amount as crm_won_deals_amount,
        {{ whole_number("total_sessions") }} as chat_sessions,

        -- contact history
        last_contacted as last_contacted_at,
        last_contacted_mode,
        last_contacted_via_sales_activity as last_activity_at,
        last_contacted_sales_activity_mode as last_activity_mode,
        last_seen as last_seen_at,
        first_seen_chat as first_seen_chat_at,
        last_seen_chat as last_seen_chat_at,
        recent_note,

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
    from {{ source('present', 'contacts') }}
)

-- Without an account of its own, a contact has the one marked as primary; without that, the first.
select
    contact_id,
    coalesce(
        own_account_id,
        list_transform(
            [{{ sent_accounts("sales_accounts") }}],
            lambda accounts: coalesce(
                list_filter(accounts, lambda sent: sent['id'] is not null and sent['is_primary'])[1]['id'],
                list_filter(accounts, lambda sent: sent['id'] is not null)[1]['id']
            )
        )[1]
    ) as account_id,
    -- Null values are no elements of a list of distinct ones.
    list_sort(
        list_distinct(
            list_append(
                list_transform({{ sent_accounts("sales_accounts") }}, lambda sent: sent['id']),
                own_account_id
            )
        )
    ) as account_ids,
    * exclude (contact_id, own_account_id, sales_accounts)
from contacts
