select
    owner_targets.month,
    owner_targets.owner_id
from seeds.owner_targets
left join marts.won_revenue_against_target as counted
    on owner_targets.month = counted.month and owner_targets.owner_id = counted.owner_id
where counted.target_amount is null
