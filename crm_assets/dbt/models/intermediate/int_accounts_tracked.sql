select
    account_id,
    owner_id,
    territory_id
from {{ ref('stg_accounts') }}
where not is_deleted
