select
    owner_targets.month,
    owner_targets.owner_id
from {{ ref('owner_targets') }}
left join {{ ref('owner_month') }} as counted
    on owner_targets.month = counted.month and owner_targets.owner_id = counted.owner_id
where counted.target_amount is null
