select
    -- keys
    id as task_id,
    owner_id,
    creater_id as creator_id,
    updater_id,
    task_type_id,
    outcome_id,

    -- what
    title,
    description,
    status,
    coalesce(status <> 1, true) as is_open,

    -- whom it concerns
    targetable_id as target_id,
    targetable_type as target_type,
    targetables as targets,

    -- when
    due_date as due_at,
    completed_date as completed_at,
    created_at,
    updated_at,
    _dlt_load_id as last_seen_load_id
from {{ source('present', 'open_tasks') }}
