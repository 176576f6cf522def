-- One row: the customers won before the last whole quarter, and how many of them bought in it.
with last_quarter as (
    select cast(date_trunc('quarter', getvariable('today')) - interval 3 month as date) as quarter
)

select
    min(last_quarter.quarter) as quarter,
    cast(coalesce(sum(retention.customers), 0) as bigint) as customers,
    cast(coalesce(sum(retention.customers_buying), 0) as bigint) as customers_buying
from last_quarter
left join marts.customer_retention_quarterly as retention
    on last_quarter.quarter = retention.quarter and retention.quarters_since > 0
