{# passes: The rows stand for all of {{ of.name }} where {{ condition }}. #}
{# fails: The rows do not stand for all of {{ of.name }} where {{ condition }} #}
{% test has_all(model, of, condition="true", count="count(*)") %}
select *
from (select coalesce({{ count }}, 0) as found from {{ model }}) as counted
cross join (select count(*) as expected from {{ of }} where {{ condition }})
where found <> expected
{% endtest %}
