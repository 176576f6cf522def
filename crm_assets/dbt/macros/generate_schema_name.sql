{# Schemas are called as the project says, without the target's before it: marts, and not main_marts. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
