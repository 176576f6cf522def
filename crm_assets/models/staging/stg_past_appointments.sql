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
        coalesce(from_date, end_date) as held_at,
        time_zone,
        coalesce(is_allday, false) as is_all_day,
        date_diff('second', from_date, end_date) // 60 as minutes,

        -- on the spot
        checkedin_at as checked_in_at,
        checkedout_at as checked_out_at,
        checkedout_location as checked_out_location,
        try_cast(latitude as double) as latitude,
        try_cast(longitude as double) as longitude,
        try_cast(checkedout_latitude as double) as checked_out_latitude,
        try_cast(checkedout_longitude as double) as checked_out_longitude,

        -- life cycle
        created_at,
        updated_at,
        _dlt_load_id as last_seen_load_id
    from present.past_appointments
)

select
    * exclude (minutes),
    cast(held_at at time zone getvariable('reporting_timezone') as date) as held_on,
    -- A length is believed when it is more than nothing and at most a day.
    case when not is_all_day and minutes between 1 and 1440 then minutes end as duration_minutes
from appointments
