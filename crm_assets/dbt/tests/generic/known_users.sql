{# passes: Every {{ column_name }} is a user of the CRM, if users are known. #}
{# fails: {{ failing }} of {{ rows }} {{ have }} {{ article }} {{ column_name }} that is not a user of the CRM #}
{% test known_users(model, column_name) %}
select {{ column_name }}
from {{ model }}
where
    {{ column_name }} is not null
    and {{ column_name }} not in (select user_id from {{ ref('stg_users') }})
    and exists (select user_id from {{ ref('stg_users') }})
{% endtest %}
