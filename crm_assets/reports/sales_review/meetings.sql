-- One row per week: the last 26 weeks, including weeks without meetings.
with latest as (
    select max_by(snapshot_date, taken_at) as today from marts.pipeline_health_daily
),

weeks as (
    select
        cast(
            unnest(
                generate_series(
                    date_trunc('week', today) - interval 175 day, date_trunc('week', today), interval 7 day
                )
            ) as date
        ) as week
    from latest
),

met as (
    select
        week,
        sum(meetings) as meetings
    from marts.meeting_activity_weekly
    group by week
)

select
    weeks.week,
    cast(coalesce(met.meetings, 0) as bigint) as meetings
from weeks
left join met on weeks.week = met.week
order by weeks.week
