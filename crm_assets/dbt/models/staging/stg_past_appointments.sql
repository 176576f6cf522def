-- No "*" of the list: a field that the CRM adds may be called like a column that is computed here.
with appointments as (
    select
        -- keys
        id as appointment_id,
        creater_id as creator_id,
        outcome_id,
        conference_id,

        -- what
        title,
        description,
        location,
        provider,

        -- whom it concerns
        targetable_id as target_id,
        targetable_type as target_type,
        targetables as targets,
        appointment_attendees_attributes as attendees,

        -- when
        from_date as starts_at,
        end_date as ends_at,
        coalesce(from_date, end_date) at time zone 'UTC' as counted_in_utc,
        coalesce(from_date, end_date) at time zone '{{ var("reporting_timezone") }}' as counted_in_zone,
        date_sub('second', from_date, end_date) as seconds,
        time_zone,
        time_zone in (
            'Auckland', 'Chatham Is.', 'Fiji', 'Nuku''alofa', 'Samoa', 'Tokelau Is.', 'Wellington'
        ) as is_far_east,
        coalesce(is_allday, false) as is_all_day,

        -- on the spot
        checkedin_at as checked_in_at,
        checkedout_at as checked_out_at,
        checkedout_location as checked_out_location,
        {{ degrees("latitude") }} as latitude,
        {{ degrees("longitude") }} as longitude,
        {{ degrees("checkedout_latitude") }} as checked_out_latitude,
        {{ degrees("checkedout_longitude") }} as checked_out_longitude,

        -- life cycle
        created_at,
        updated_at,
        _dlt_load_id as last_seen_load_id
    from {{ source('present', 'past_appointments') }}
),

-- A whole-day entry is a date, sent as a midnight whose offset is not stored. If it is a midnight neither in
-- UTC nor in the reporting time zone, the nearest one in UTC has its date, provided that it lasts for days:
-- an hour more or less when clocks change, a minute less if the last day is sent with its end. In zones of
-- the far east, at +12:00 to +14:00, the next one in UTC has it.
dated as (
    select
        *,
        case
            when not is_all_day then cast(counted_in_zone as date)
            when counted_in_utc = date_trunc('day', counted_in_utc) then cast(counted_in_utc as date)
            when counted_in_zone = date_trunc('day', counted_in_zone) then cast(counted_in_zone as date)
            when starts_at is null and date_trunc('day', counted_in_utc + interval 1 minute) > counted_in_utc
                then cast(counted_in_utc as date)
            when coalesce(seconds, 0) = 0 or seconds >= 82740 and (seconds + 3660) % 86400 <= 7320
                then cast(counted_in_utc + interval (if(is_far_east, 14, 12)) hour as date)
            else cast(counted_in_zone as date)
        end as held_on
    from appointments
)

select
    * exclude (counted_in_utc, counted_in_zone, seconds, is_far_east),
    case
        when is_all_day then cast(held_on as timestamp) at time zone '{{ var("reporting_timezone") }}'
        else coalesce(starts_at, ends_at)
    end as held_at,
    -- A length is believed when it is more than nothing and at most a day.
    case when not is_all_day and seconds // 60 between 1 and 1440 then seconds // 60 end as duration_minutes
from dated
