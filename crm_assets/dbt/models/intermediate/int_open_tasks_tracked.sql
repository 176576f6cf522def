select
    task_id,
    owner_id,
    due_at,
    created_at
from {{ ref('stg_open_tasks') }}
where is_open
