{# passes: {{ column_name }} is one of {{ values }}. #}
{# fails: {{ failing }} of {{ rows }} {{ have }} {{ article }} {{ column_name }} that is none of {{ values }} #}
{% test accepted_values(model, column_name, values, quote=true) %}
select *
from {{ model }}
where {{ column_name }} not in (
    {%- for value in values %}
    {% if quote %}'{{ value | string | replace("'", "''") }}'{% else %}{{ value }}{% endif %}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
)
{% endtest %}
