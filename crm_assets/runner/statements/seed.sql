{# The SELECT that reads a seed. Like dbt, it takes only ISO 8601 for dates, since 01/02/2024 is another day in another country. #}
{% macro seed_select(path, types) -%}
select *
from read_csv(
    {{ path }},
    auto_detect = false,
    header = true,
    delim = ',',
    quote = '"',
    escape = '"',
    dateformat = '%Y-%m-%d',
    columns = { {%- for column, type in types.items() %}{{ column }}: {{ type }}{{ ', ' if not loop.last }}{% endfor -%} }
)
{%- endmacro %}
