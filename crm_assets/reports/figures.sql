-- today: The time of the latest build and its day, for the queries: `getvariable('taken_at')`,
-- `getvariable('today')`. A build whose clock was a year ahead is not the latest for a year.
set variable taken_at = (
    select coalesce(max(taken_at) filter (where taken_at <= now() + interval 10 minute), max(taken_at))
    from marts.pipeline_health_daily
);
set variable today = (
    select max(snapshot_date)
    from marts.pipeline_health_daily
    where taken_at = getvariable('taken_at')
)
