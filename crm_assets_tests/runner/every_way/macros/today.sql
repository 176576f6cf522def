{% macro today() %}
    {%- set zone = var('reporting_timezone') -%}
    {{ return("cast(now() at time zone '" ~ zone ~ "' as date)") }}
{% endmacro %}
