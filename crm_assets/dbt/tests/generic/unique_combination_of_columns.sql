{# passes: No combination of {{ combination_of_columns | join(" and ") }} occurs twice. #}
{# fails: combinations of {{ combination_of_columns | join(" and ") }} that occur more than once: {{ failing }} #}
{% test unique_combination_of_columns(model, combination_of_columns) %}
select
    {{ combination_of_columns | join(', ') }},
    count(*) as n_records
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
