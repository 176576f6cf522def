with source as (
    select * from raw.accounts
),

last_complete_read as (
    select max(_dlt_load_id) as load_id
    from raw.sync_log
    where resource = 'accounts' and mode = 'full' and complete
),

present as (
    select source.*
    from source
    cross join last_complete_read
    where last_complete_read.load_id is null or source._dlt_load_id >= last_complete_read.load_id
),

renamed as (
    select
        -- keys
        id as account_id,
        parent_sales_account_id as parent_account_id,
        owner_id,
        territory_id,
        business_type_id,
        industry_type_id,
        nullif(trim(external_id), '') as external_id,

        -- who and where
        nullif(trim(name), '') as account_name,
        nullif(trim(website), '') as website,
        nullif(trim(email), '') as email,
        nullif(trim(phone), '') as phone,
        nullif(trim(address), '') as address,
        nullif(trim(city), '') as city,
        nullif(trim(state), '') as state,
        nullif(trim(zipcode), '') as zipcode,
        nullif(trim(country), '') as country,
        nullif(trim(twitter), '') as twitter,
        nullif(trim(facebook), '') as facebook,
        nullif(trim(linkedin), '') as linkedin,

        -- size
        annual_revenue,
        number_of_employees,

        -- what the CRM itself counts
        open_deals_count as crm_open_deals,
        open_deals_amount as crm_open_deals_amount,
        won_deals_count as crm_won_deals,
        won_deals_amount as crm_won_deals_amount,

        -- contact history
        last_contacted as last_contacted_at,
        nullif(trim(last_contacted_mode), '') as last_contacted_mode,
        last_contacted_via_sales_activity as last_activity_at,
        nullif(trim(last_contacted_sales_activity_mode), '') as last_activity_mode,
        nullif(trim(recent_note), '') as recent_note,

        -- free-form
        case when json_type(tags) = 'ARRAY' then try_cast(tags as varchar[]) end as tags,
        custom_field as custom_fields,

        -- life cycle
        last_assigned_at,
        created_at,
        updated_at,
        coalesce(is_deleted, false) as is_deleted,
        _dlt_load_id as last_seen_load_id
    from present
)

select * from renamed
