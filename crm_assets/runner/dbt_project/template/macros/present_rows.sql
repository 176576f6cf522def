{# The rows of a raw table that the CRM lists now: those that the last complete full read, or a read after it, saw.
   Texts have no blanks around them, and one without a character is null. What did not fit its column (`__v_`) and what
   dlt notes about a row (`_dlt_`) are shown as they are. #}
{% macro present_rows(table) %}
{%- set raw = source('raw', table) %}
{%- set since = ref('present_since') %}
select
{%- for column in adapter.get_columns_in_relation(raw) if execute %}
    {%- if column.dtype | upper == 'VARCHAR' and not column.name.startswith('_dlt_') and '__v_' not in column.name %}
    nullif(trim("{{ column.name }}"), '') as "{{ column.name }}"
    {%- else %}
    "{{ column.name }}"
    {%- endif %}
    {%- if not loop.last %},{% endif %}
{%- endfor %}
from {{ raw }}
where _dlt_load_id >= coalesce((select load_id from {{ since }} where resource = '{{ table }}'), '')
{% endmacro %}
