with named as (
    select
        array_name,
        id,
        {{ trimmed("json_extract_string(record, '$.name')") }} as record_name,
        _dlt_load_id
    from {{ source('raw', 'side_loaded') }}
    where array_name <> 'users'
    qualify row_number() over (partition by array_name, id order by _dlt_load_id desc) = 1
)

select
    array_name,
    id as record_id,
    record_name,
    _dlt_load_id as last_seen_load_id
from named
where record_name is not null
