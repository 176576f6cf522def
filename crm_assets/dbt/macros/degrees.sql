{# A text as degrees: "NaN" and "Infinity" are numbers for DuckDB. #}
{% macro degrees(text) -%}
    if(isfinite(try_cast({{ text }} as double)), try_cast({{ text }} as double), null)
{%- endmacro %}
