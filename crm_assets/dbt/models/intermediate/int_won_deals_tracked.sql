select
    deal_id,
    account_id,
    owner_id,
    stage_id,
    won_on,
    won_amount,
    -- Null, not false: rows from before the bin was recorded have none either, and stay valid.
    nullif(is_deleted, false) as is_deleted
from {{ ref('stg_won_deals') }}
