-- One row per quarter of the first deal and quarter since: the customers of the last eight quarters.
select
    first_quarter,
    quarters_since,
    customers,
    customers_buying,
    share_buying,
    is_complete
from marts.customer_retention_quarterly
where
    first_quarter >= date_trunc('quarter', getvariable('today')) - interval 21 month
    and quarter <= getvariable('today')
order by first_quarter, quarters_since
