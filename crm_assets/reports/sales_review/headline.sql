-- One or two rows: the numbers of the latest build, and those of the last day that is a week or more before.
-- An earlier build has a later day if the reporting time zone has moved west since.
select
    health.snapshot_date,
    health.taken_at,
    health.won_amount_30_days,
    health.won_deals_30_days,
    health.crm_open_deals_amount,
    health.appointments_30_days,
    health.open_tasks,
    health.overdue_tasks,
    health.accounts,
    health.contacts
from marts.pipeline_health_daily as health
where health.taken_at = getvariable('taken_at') or health.snapshot_date <= getvariable('today') - 7
order by health.taken_at desc
limit 2
