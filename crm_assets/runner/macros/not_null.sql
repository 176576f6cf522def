{# passes: {{ column_name }} is never null. #}
{# fails: {{ failing }} of {{ rows }} {{ have }} no {{ column_name }} #}
{% test not_null(model, column_name) %}
select *
from {{ model }}
where {{ column_name }} is null
{% endtest %}
