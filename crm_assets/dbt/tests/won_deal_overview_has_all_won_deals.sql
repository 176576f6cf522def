with in_mart as (
    select
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount
    from {{ ref('won_deal_overview') }}
),

in_staging as (
    select
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount
    from {{ ref('stg_won_deals') }}
    where not is_deleted
)

select
    in_mart.won_deals,
    in_staging.won_deals as won_deals_in_staging,
    in_mart.won_amount,
    in_staging.won_amount as won_amount_in_staging
from in_mart
cross join in_staging
where in_mart.won_deals <> in_staging.won_deals or in_mart.won_amount <> in_staging.won_amount
