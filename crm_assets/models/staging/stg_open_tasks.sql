with source as (
    select * from raw.open_tasks
),

last_complete_read as (
    select max(_dlt_load_id) as load_id
    from raw.sync_log
    where resource = 'open_tasks' and mode = 'full' and complete
),

present as (
    select source.*
    from source
    cross join last_complete_read
    where last_complete_read.load_id is null or source._dlt_load_id >= last_complete_read.load_id
),

renamed as (
    select
        -- keys
        id as task_id,
        owner_id,
        creater_id as creator_id,
        updater_id,
        task_type_id,
        outcome_id,

        -- what
        nullif(trim(title), '') as title,
        nullif(trim(description), '') as description,
        status,
        coalesce(status <> 1, true) as is_open,

        -- whom it concerns
        targetable_id as target_id,
        nullif(trim(targetable_type), '') as target_type,
        targetables as targets,

        -- when
        due_date as due_at,
        completed_date as completed_at,
        created_at,
        updated_at,
        _dlt_load_id as last_seen_load_id
    from present
)

select * from renamed
