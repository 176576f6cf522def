with reads as (
    select
        resource,
        max(started_at) filter (
            where mode = 'full' and complete and {{ until_now('started_at') }}
        ) as last_complete_full_read
    from {{ source('raw', 'sync_log') }}
    group by resource
),

latest as (
    select max(taken_at) as taken_at
    from {{ ref('pipeline_health_daily') }}
    where {{ until_now('taken_at') }}
)

select
    reads.resource,
    reads.last_complete_full_read
from reads
cross join latest
where
    reads.last_complete_full_read is null
    or reads.last_complete_full_read < latest.taken_at - interval 2 day
