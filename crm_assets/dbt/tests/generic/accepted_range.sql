{# passes: {{ column_name }} is
    {%- if min_value is not none %} at least {{ min_value }}{% endif %}
    {%- if min_value is not none and max_value is not none %} and{% endif %}
    {%- if max_value is not none %} at most {{ max_value }}{% endif %}. #}
{# fails: {{ failing }} of {{ rows }} {{ have }} {{ article }} {{ column_name }} that is not
    {%- if min_value is not none %} at least {{ min_value }}{% endif %}
    {%- if min_value is not none and max_value is not none %} and{% endif %}
    {%- if max_value is not none %} at most {{ max_value }}{% endif %} #}
{% test accepted_range(model, column_name, min_value=none, max_value=none) %}
select *
from {{ model }}
where
    false
    {% if min_value is not none %}or {{ column_name }} < {{ min_value }}{% endif %}
    {% if max_value is not none %}or {{ column_name }} > {{ max_value }}{% endif %}
{% endtest %}
