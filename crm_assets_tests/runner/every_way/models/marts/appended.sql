{{ config(materialized='incremental', incremental_strategy='append', tags=['daily']) }}
select {{ today() }} as day, count(*) as deals
from {{ ref('won_deal_overview') }}
