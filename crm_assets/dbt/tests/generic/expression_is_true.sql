{# passes: {% if column_name %}{{ column_name }} {% endif %}{{ expression }} #}
{# fails: {{ failing }} of {{ rows }} {{ do }} not fulfil: {% if column_name %}{{ column_name }} {% endif %}{{ expression }} #}
{% test expression_is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where (
    {% if column_name %}{{ column_name }} {% endif %}{{ expression }}
) is false
{% endtest %}
