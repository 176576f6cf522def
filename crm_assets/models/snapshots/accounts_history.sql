select
    account_id,
    owner_id,
    territory_id
from staging.stg_accounts
where not is_deleted
