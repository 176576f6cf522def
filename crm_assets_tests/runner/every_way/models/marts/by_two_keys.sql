select
    owner_id,
    cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as day,
    count(*) as accounts
from {{ ref('stg_accounts') }}
where owner_id is not null
group by all
