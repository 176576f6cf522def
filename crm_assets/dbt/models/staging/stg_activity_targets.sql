with tasks as (
    select
        'task' as activity_type,
        task_id as activity_id,
        target_id,
        target_type,
        targets
    from {{ ref('stg_open_tasks') }}
),

appointments as (
    select
        'appointment' as activity_type,
        appointment_id as activity_id,
        target_id,
        target_type,
        targets
    from {{ ref('stg_past_appointments') }}
),

activities as (
    select * from tasks
    union all
    select * from appointments
),

-- One row per element of the array; anything that is not an array has no elements.
elements as (
    select
        activity_type,
        activity_id,
        unnest(from_json(targets, '[{"id": "VARCHAR", "type": "VARCHAR"}]')) as element
    from activities
),

listed as (
    select
        activity_type,
        activity_id,
        element['type'] as target_type,
        {{ whole_number("element['id']") }} as target_id
    from elements
),

single as (
    select
        activity_type,
        activity_id,
        target_type,
        target_id
    from activities
),

combined as (
    select * from listed
    union
    select * from single
)

select
    activity_type,
    activity_id,
    target_type,
    target_id
from combined
where target_type in ('Contact', 'SalesAccount', 'Deal') and target_id is not null
