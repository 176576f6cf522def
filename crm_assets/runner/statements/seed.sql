{# The SELECT that reads a seed. For columns without a type, DuckDB detects one that holds all values: like dbt, it
   takes only ISO 8601 for dates, since 01/02/2024 is another day in another country. #}
{% macro seed_select(path, types, delimiter="','") -%}
select *
from read_csv(
    {{ path }},
    header = true,
    delim = {{ delimiter }},
    quote = '"',
    escape = '"',
    sample_size = -1,
    auto_type_candidates = ['BIGINT', 'DOUBLE', 'BOOLEAN', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ', 'VARCHAR'],
    dateformat = '%Y-%m-%d',
    {% if types %}types = { {%- for column, type in types.items() %}{{ column }}: {{ type }}{{ ', ' if not loop.last }}{% endfor -%} },{% endif %}
    store_rejects = true
)
{%- endmacro %}
