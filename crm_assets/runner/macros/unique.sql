{# passes: No value of {{ column_name }} occurs twice. #}
{# fails: values of {{ column_name }} that occur more than once: {{ failing }} #}
{% test unique(model, column_name) %}
select
    {{ column_name }} as unique_field,
    count(*) as n_records
from {{ model }}
where {{ column_name }} is not null
group by {{ column_name }}
having count(*) > 1
{% endtest %}
