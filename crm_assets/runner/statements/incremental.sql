{# Earlier rows and the new rows; by key, new rows take the place of earlier ones. The table is rewritten as a whole, so that
   columns can be added, removed or widened. Rows without a key are kept. With merge, `kept` columns, which the new rows lack,
   keep their values. Messages count on one line before the SELECT. #}
{% macro incremental_rows(this, select, key, kept, strategy) -%}
with new_rows as materialized (
{{ select }}
)
{% if not key or strategy == 'append' %}
select * from {{ this }}
union all by name
select * from new_rows
{% else %}
select * from {{ this }} anti join new_rows using ({{ key | join(', ') }})
union all by name
select
    new_rows.*
    {%- for column in kept %}, earlier.{{ column }}{% endfor %}
from new_rows
{% if kept %}
left join {{ this }} as earlier
    on {% for column in key %}new_rows.{{ column }} = earlier.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{% endif %}
{% endif %}
{%- endmacro %}
