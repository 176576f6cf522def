-- One row per week: the last 26 weeks, including weeks without meetings.
with weeks as (
    select
        unnest(
            generate_series(
                date_trunc('week', getvariable('today')) - interval 175 day,
                date_trunc('week', getvariable('today')),
                interval 7 day
            )
        ) as week
),

met as (
    select
        week,
        sum(meetings) as meetings
    from marts.meeting_activity_weekly
    group by week
)

select
    cast(weeks.week as date) as week,
    cast(coalesce(met.meetings, 0) as bigint) as meetings
from weeks
left join met on weeks.week = met.week
order by weeks.week
