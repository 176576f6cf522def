select
    -- keys
    id as account_id,
    parent_sales_account_id as parent_account_id,
    owner_id,
    territory_id,
    business_type_id,
    industry_type_id,
    external_id,

    -- who and where
    name as account_name,
    website,
    email,
    phone,
    address,
    city,
    state,
    zipcode,
    country,
    twitter,
    facebook,
    linkedin,

    -- size
    annual_revenue,
    number_of_employees,

    -- the CRM's own counts
    open_deals_count as crm_open_deals,
    open_deals_amount as crm_open_deals_amount,
    won_deals_count as crm_won_deals,
    won_deals_amount as crm_won_deals_amount,

    -- contact history
    last_contacted as last_contacted_at,
    last_contacted_mode,
    last_contacted_via_sales_activity as last_activity_at,
    last_contacted_sales_activity_mode as last_activity_mode,
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
from {{ source('present', 'accounts') }}
