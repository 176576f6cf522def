{# The SELECT that reads a seed. For columns without a type, DuckDB detects one that holds all values. #}
{% macro seed_select(path, types) -%}
select *
from read_csv(
    {{ path }},
    header = true,
    delim = ',',
    quote = '"',
    escape = '"',
    sample_size = -1,
    {% if types %}types = { {%- for column, type in types.items() %}{{ column }}: {{ type }}{{ ', ' if not loop.last }}{% endfor -%} },{% endif %}
    store_rejects = true
)
{%- endmacro %}
