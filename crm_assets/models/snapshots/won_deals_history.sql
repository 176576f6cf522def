select
    deal_id,
    account_id,
    owner_id,
    stage_id,
    won_on,
    won_amount
from staging.stg_won_deals
where not is_deleted
