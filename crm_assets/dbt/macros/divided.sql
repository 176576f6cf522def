{# An exact decimal by a count, rounded to hundredths, half away from zero: DuckDB's "/" divides decimals as doubles. #}
{% macro divided(amount, count) -%}
    cast(
        cast(({{ amount }}) * 100 - ({{ amount }}) * 100 % nullif({{ count }}, 0) as hugeint) // nullif({{ count }}, 0)
        + case
            when 2 * abs(({{ amount }}) * 100 % nullif({{ count }}, 0)) >= {{ count }} then sign({{ amount }})
            else 0
        end as decimal(36, 0)
    ) * 0.01
{%- endmacro %}
