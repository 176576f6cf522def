with users as (
    select
        id,
        record,
        _dlt_load_id
    from {{ source('raw', 'side_loaded') }}
    where array_name = 'users'
    qualify row_number() over (partition by array_name, id order by _dlt_load_id desc) = 1
)

select
    id as user_id,
    coalesce(
        {{ trimmed("json_extract_string(record, '$.display_name')") }},
        {{ trimmed("json_extract_string(record, '$.name')") }}
    ) as user_name,
    {{ trimmed("json_extract_string(record, '$.email')") }} as email,
    try_cast(json_extract_string(record, '$.is_active') as boolean) as is_active,
    _dlt_load_id as last_seen_load_id
from users
