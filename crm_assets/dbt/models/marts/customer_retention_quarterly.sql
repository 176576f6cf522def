with deals as (
    select
        account_id,
        won_amount,
        cast(date_trunc('quarter', won_on) as date) as quarter,
        cast(date_trunc('quarter', min(won_on) over (partition by account_id)) as date) as first_quarter
    from {{ ref('won_deal_overview') }}
    where has_listed_account and won_on is not null
),

bought as (
    select
        first_quarter,
        quarter,
        count(distinct account_id) as customers_buying,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount
    from deals
    group by first_quarter, quarter
),

cohorts as (
    select
        first_quarter,
        count(distinct account_id) as customers
    from deals
    group by first_quarter
),

-- Quarters without anything, for at most 30 years after the first: a year may be mistyped.
passed as (
    select
        first_quarter,
        unnest(
            generate_series(
                first_quarter,
                least(
                    date_trunc('quarter', now() at time zone '{{ var("reporting_timezone") }}'),
                    first_quarter + interval 30 year
                ),
                interval 3 month
            )
        ) as quarter
    from cohorts
),

spine as (
    select
        first_quarter,
        cast(quarter as date) as quarter
    from passed
    union
    select
        first_quarter,
        quarter
    from bought
)

select
    spine.first_quarter,
    date_diff('quarter', spine.first_quarter, spine.quarter) as quarters_since,
    spine.quarter,
    cohorts.customers,
    coalesce(bought.customers_buying, 0) as customers_buying,
    coalesce(bought.won_deals, 0) as won_deals,
    coalesce(bought.won_amount, 0) as won_amount,
    {{ share('coalesce(bought.customers_buying, 0)', 'cohorts.customers', 5) }} as share_buying,
    spine.quarter + interval 3 month <= now() at time zone '{{ var("reporting_timezone") }}' as is_complete
from spine
inner join cohorts on spine.first_quarter = cohorts.first_quarter
left join bought on spine.first_quarter = bought.first_quarter and spine.quarter = bought.quarter
