{# dbt's own rule, for projects without one. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema ~ ('_' ~ custom_schema_name | trim if custom_schema_name else '') }}
{%- endmacro %}
