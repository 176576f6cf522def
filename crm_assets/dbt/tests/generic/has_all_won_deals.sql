{# passes: Number and amount of won deals are those of {{ of.name }}. #}
{# fails: Number or amount of won deals is not that of {{ of.name }} #}
{% test has_all_won_deals(model, of, condition="true", won_deals="sum(won_deals)", latest="") %}
select *
from (
    select
        coalesce({{ won_deals }}, 0) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount
    from {{ model }}
    {% if latest %}where {{ latest }} = (select max({{ latest }}) from {{ model }} where {{ until_now(latest) }}){% endif %}
) as found
cross join (
    select
        count(*) as all_won_deals,
        coalesce(sum(won_amount), 0) as all_won_amount
    from {{ of }}
    where {{ condition }}
)
where won_deals <> all_won_deals or won_amount <> all_won_amount
{% endtest %}
