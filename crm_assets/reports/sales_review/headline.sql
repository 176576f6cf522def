-- One row: the numbers of the latest day, and when they were counted.
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
order by snapshot_date desc
limit 1
