{{ config(materialized='incremental', incremental_strategy='merge', unique_key='deal_id') }}
select
    deal_id,
    won_amount,
    updated_at,
    {{ today() }} as seen_on
from {{ ref('stg_won_deals') }}
{% if is_incremental() %}
where updated_at > (select max(updated_at) from {{ this }})
{% endif %}
