-- One row per owner who has won or was to win something this fiscal year: the 12 who won most.
-- All others are one more row.
with owners as (
    select
        owner,
        owner_name,
        coalesce(owner_name, owner) as name,
        won_amount_to_date,
        target_to_date,
        won_amount_this_year,
        target_this_year
    from marts.owner_month
    where
        month = date_trunc('month', getvariable('today'))
        and (won_deals_this_year > 0 or target_this_year is not null)
),

-- Two users of one name are two rows.
ranked as (
    select
        *,
        name || if(count(*) over (partition by name) > 1, ' (' || owner || ')', '') as label,
        least(row_number() over (order by won_amount_this_year desc, owner asc), 13) as place
    from owners
)

select
    case when count(*) = 1 then min(label) else format('{:,} other owners', count(*)) end as owner,
    bool_and(owner = 'unassigned') as is_nobody,
    bool_and(owner_name is null) as has_no_name,
    sum(won_amount_to_date) as won_amount,
    sum(target_to_date) as target_to_date,
    sum(won_amount_this_year) as won_amount_this_year,
    sum(target_this_year) as target_this_year
from ranked
group by place
order by place
