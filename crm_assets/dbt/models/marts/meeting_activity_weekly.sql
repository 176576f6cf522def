with meetings as (
    select
        appointment_id,
        creator_id,
        is_all_day,
        duration_minutes,
        cast(date_trunc('week', held_on) as date) as week
    from {{ ref('stg_past_appointments') }}
    where held_on is not null
),

accounts_met as (
    select
        meetings.week,
        meetings.creator_id,
        count(distinct links.account_id) as accounts_met
    from meetings
    inner join {{ ref('stg_activity_accounts') }} as links on meetings.appointment_id = links.activity_id
    where links.activity_type = 'appointment'
    group by meetings.week, meetings.creator_id
),

weekly as (
    select
        week,
        creator_id,
        count(*) as meetings,
        count(duration_minutes) as timed_meetings,
        count(*) filter (where is_all_day) as all_day_meetings,
        coalesce(sum(duration_minutes), 0) / 60 as meeting_hours,
        avg(duration_minutes) as average_minutes
    from meetings
    group by week, creator_id
)

select
    weekly.week,
    strftime(weekly.week, '%G-W%V') as iso_week,
    coalesce(cast(weekly.creator_id as varchar), 'unknown') as creator,
    weekly.creator_id,
    creators.user_name as creator_name,
    weekly.meetings,
    weekly.timed_meetings,
    weekly.all_day_meetings,
    cast(weekly.meeting_hours as decimal(18, 2)) as meeting_hours,
    cast(weekly.average_minutes as decimal(18, 1)) as average_minutes,
    coalesce(accounts_met.accounts_met, 0) as accounts_met
from weekly
left join {{ ref('stg_users') }} as creators on weekly.creator_id = creators.user_id
left join accounts_met
    on
        weekly.week = accounts_met.week
        and weekly.creator_id is not distinct from accounts_met.creator_id
