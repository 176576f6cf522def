with source as (
    select * from raw.past_appointments
),

last_complete_read as (
    select max(_dlt_load_id) as load_id
    from raw.sync_log
    where resource = 'past_appointments' and mode = 'full' and complete
),

present as (
    select source.*
    from source
    cross join last_complete_read
    where last_complete_read.load_id is null or source._dlt_load_id >= last_complete_read.load_id
),

measured as (
    select
        *,
        coalesce(from_date, end_date) as held_at,
        coalesce(is_allday, false) as is_all_day,
        date_diff('second', from_date, end_date) // 60 as minutes
    from present
),

renamed as (
    select
        -- keys
        id as appointment_id,
        creater_id as creator_id,
        outcome_id,
        nullif(trim(conference_id), '') as conference_id,

        -- what
        nullif(trim(title), '') as title,
        nullif(trim(description), '') as description,
        nullif(trim(location), '') as location,
        nullif(trim(provider), '') as provider,

        -- whom it concerns
        targetable_id as target_id,
        nullif(trim(targetable_type), '') as target_type,
        targetables as targets,
        appointment_attendees_attributes as attendees,

        -- when
        from_date as starts_at,
        end_date as ends_at,
        held_at,
        cast(held_at at time zone 'UTC' as date) as held_on,
        nullif(trim(time_zone), '') as time_zone,
        is_all_day,
        -- A length is believed when it is more than nothing and at most a day.
        case when not is_all_day and minutes between 1 and 1440 then minutes end as duration_minutes,

        -- on the spot
        checkedin_at as checked_in_at,
        checkedout_at as checked_out_at,
        nullif(trim(checkedout_location), '') as checked_out_location,
        try_cast(latitude as double) as latitude,
        try_cast(longitude as double) as longitude,
        try_cast(checkedout_latitude as double) as checked_out_latitude,
        try_cast(checkedout_longitude as double) as checked_out_longitude,

        -- life cycle
        created_at,
        updated_at,
        _dlt_load_id as last_seen_load_id
    from measured
)

select * from renamed
