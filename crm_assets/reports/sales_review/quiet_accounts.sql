-- One row per account: the 15 without contact for the longest time, or since they were entered.
select
    account_name as account,
    coalesce(owner_name, cast(owner_id as varchar), 'unassigned') as owner,
    last_activity_on as last_activity,
    days_quiet as days,
    won_amount
from marts.account_overview
where account_id is not null
order by days_quiet desc nulls last, account_id asc
limit 15
