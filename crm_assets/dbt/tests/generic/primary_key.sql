{# passes: Every row has its own {{ column_name or columns | join(" and ") }}, without null. #}
{# fails: values of {{ column_name or columns | join(" and ") }} that are null, or in several of {{ rows }}: {{ failing }} #}
{% test primary_key(model, columns=none, column_name=none) %}
{%- set key = columns or [column_name] %}
select
    {{ key | join(', ') }},
    count(*) as n_records
from {{ model }}
group by all
having count(*) > 1 or {{ key | join(' is null or ') }} is null
{% endtest %}
