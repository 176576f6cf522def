-- One row per customer: the 15 who brought most of those without contact for more than 90 days.
-- Customers without any contact on record are counted in risk.sql.
select
    account_name as customer,
    coalesce(owner_name, cast(owner_id as varchar), 'unassigned') as owner,
    won_amount,
    last_activity_on,
    days_quiet,
    open_tasks
from marts.account_overview
where account_id is not null and won_amount > 0 and last_activity_on is not null and days_quiet > 90
order by won_amount desc, account_id asc
limit 15
