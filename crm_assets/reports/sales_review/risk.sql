-- One row: customers without contact for more than 90 days, and those without any on record.
-- They are not known if no won deal names a listed account, as when `include` does not ask for accounts.
with accounts as (
    select
        account_id,
        won_deals,
        won_amount,
        account_id is not null and won_amount > 0 as is_customer,
        is_customer and last_activity_on is not null and days_quiet > 90 as is_quiet,
        is_customer and last_activity_on is null as has_no_contact
    from marts.account_overview
)

select
    sum(won_deals) > 0
    and coalesce(max(won_deals) filter (where account_id is not null), 0) = 0 as is_unknown,
    count(*) filter (where is_quiet) as quiet_customers,
    coalesce(sum(won_amount) filter (where is_quiet), 0) as quiet_amount,
    count(*) filter (where has_no_contact) as uncontacted_customers,
    coalesce(sum(won_amount) filter (where has_no_contact), 0) as uncontacted_amount
from accounts
