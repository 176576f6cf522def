with stages as (
    select
        id,
        record,
        _dlt_load_id
    from {{ source('raw', 'side_loaded') }}
    where array_name = 'deal_stages'
    qualify row_number() over (partition by array_name, id order by _dlt_load_id desc) = 1
)

select
    id as stage_id,
    {{ trimmed("json_extract_string(record, '$.name')") }} as stage_name,
    {{ whole_number("json_extract_string(record, '$.deal_pipeline_id')") }} as pipeline_id,
    {{ whole_number("json_extract_string(record, '$.position')") }} as position_in_pipeline,
    {{ trimmed("json_extract_string(record, '$.forecast_type')") }} as forecast_type,
    _dlt_load_id as last_seen_load_id
from stages
