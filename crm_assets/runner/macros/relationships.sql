{# passes: {{ column_name }} is found in {{ to }}, column {{ field }}. #}
{# fails: {{ failing }} of {{ rows }} {{ have }} {{ article }} {{ column_name }} that is not found in {{ to }} #}
{% test relationships(model, column_name, to, field) %}
select child.*
from {{ model }} as child
left join (select {{ field }} as to_field from {{ to }}) as parent
    on child.{{ column_name }} = parent.to_field
where child.{{ column_name }} is not null and parent.to_field is null
{% endtest %}
