{# One row per model: the version of its last build. In a lake, simultaneous builds can leave older rows as well. #}
{% macro create_model_builds() %}
create schema if not exists raw;
create table if not exists raw.model_builds (
    model varchar not null,
    version varchar not null,
    built_at timestamp with time zone not null
);
{% endmacro %}

{# Of several versions it is not known which is the table's: clocks of machines differ. Then the model is built. #}
{% macro built_versions() %}
select model, if(count(*) = 1, any_value(version), null) from raw.model_builds group by model
{% endmacro %}

{% macro loaded_versions() %}
select resource, arg_max(version, _dlt_load_id) from raw.sync_changes group by resource
{% endmacro %}

{# Each load adds those that its records refer to, changed or not. #}
{% macro side_loaded_version() %}
select coalesce(sum(hash(array_name, id, record)), 0)::varchar
from (
    select array_name, id, arg_max(record, _dlt_load_id) as record
    from raw.side_loaded
    group by all
)
{% endmacro %}

{# The functions of the clock return the session's time, or that of the clock. `current_timestamp` and `localtimestamp` call two of them. #}
{% macro stop_clock() %}
{% set now = "coalesce(getvariable('now'), system.main.now())" %}
{% for function in ('now', 'get_current_timestamp', 'transaction_timestamp') %}
create or replace temp macro {{ function }}() as {{ now }};
{% endfor %}
create or replace temp macro current_date() as {{ now }}::date;
create or replace temp macro today() as {{ now }}::date;
create or replace temp macro current_localtimestamp() as {{ now }}::timestamp;
{% endmacro %}
