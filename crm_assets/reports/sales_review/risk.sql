-- One row: customers without contact for more than 90 days, and those without any on record.
with customers as (
    select
        won_amount,
        last_activity_on is not null and days_quiet > 90 as is_quiet,
        last_activity_on is null as has_no_contact
    from marts.account_overview
    where account_id is not null and won_amount > 0
)

select
    count(*) filter (where is_quiet) as quiet_customers,
    coalesce(sum(won_amount) filter (where is_quiet), 0) as quiet_amount,
    count(*) filter (where has_no_contact) as uncontacted_customers,
    coalesce(sum(won_amount) filter (where has_no_contact), 0) as uncontacted_amount
from customers
