with days as (
    select
        snapshot_date,
        {% for list in ['accounts', 'contacts', 'won_deals', 'past_appointments'] %}
            {{ list }},
            lag({{ list }}) over (order by taken_at) as {{ list }}_before,
        {% endfor %}
        row_number() over (order by taken_at desc) as place
    from {{ ref('pipeline_health_daily') }}
    where {{ until_now('taken_at') }}
)

select *
from days
where
    place = 1
    and (
        accounts < 0.8 * accounts_before - 20
        or contacts < 0.8 * contacts_before - 20
        or won_deals < 0.8 * won_deals_before - 20
        or past_appointments < 0.8 * past_appointments_before - 20
    )
