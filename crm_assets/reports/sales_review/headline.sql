-- One row: the numbers of the latest build, and when they were counted.
-- An earlier build has a later day if the reporting time zone has moved west since.
select
    taken_at,
    accounts,
    contacts,
    won_deals_30_days,
    won_amount_30_days,
    crm_open_deals_amount,
    open_tasks,
    overdue_tasks,
    appointments_30_days
from marts.pipeline_health_daily
order by taken_at desc
limit 1
