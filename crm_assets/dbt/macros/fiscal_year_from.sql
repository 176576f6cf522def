{# The first day of the fiscal year that a date is in. #}
{% macro fiscal_year_from(day) -%}
    cast(
        date_trunc('year', {{ day }} - interval ({{ var('fiscal_year_start') }} - 1) month)
        + interval ({{ var('fiscal_year_start') }} - 1) month as date
    )
{%- endmacro %}
