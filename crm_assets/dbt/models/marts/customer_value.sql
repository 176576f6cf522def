with deals as (
    select
        case when has_listed_account then account_id end as account_id,
        won_on,
        won_amount,
        case
            when has_listed_account
                then date_diff('day', lag(won_on) over (partition by account_id order by won_on), won_on)
        end as days_between,
        cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as today
    from {{ ref('won_deal_overview') }}
),

customers as (
    select
        account_id,
        min(won_on) as first_won_on,
        max(won_on) as last_won_on,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount,
        coalesce(
            sum(won_amount) filter (where won_on > today - interval 12 month and won_on <= today), 0
        ) as won_amount_12m,
        coalesce(
            sum(won_amount) filter (
                where won_on > today - interval 24 month and won_on <= today - interval 12 month
            ), 0
        ) as won_amount_prior_12m,
        median(days_between) as median_days_between_deals,
        max(today) as today
    from deals
    group by account_id
),

total as (
    select sum(won_amount_12m) as won_amount_12m
    from customers
),

ranked as (
    select
        account_id,
        row_number() over ranking as revenue_rank_12m,
        sum(won_amount_12m) over ranking as cumulative_amount_12m
    from customers
    where account_id is not null and won_amount_12m <> 0
    window ranking as (order by won_amount_12m desc, account_id asc)
)

select
    customers.account_id,
    case
        when customers.account_id is null then 'Deals without a listed account'
        else accounts.account_name
    end as account_name,
    accounts.owner_id,
    owners.user_name as owner_name,
    customers.first_won_on,
    customers.last_won_on,
    customers.won_deals,
    customers.won_amount,
    customers.won_amount_12m,
    customers.won_amount_prior_12m,
    customers.median_days_between_deals,
    case
        when customers.last_won_on is not null
            then greatest(date_diff('day', customers.last_won_on, customers.today), 0)
    end as days_since_win,
    case
        when customers.account_id is null or customers.first_won_on is null then null
        when customers.today <= customers.first_won_on + 90 then 'new'
        when customers.today <= customers.last_won_on + 365 then 'active'
        else 'lapsed'
    end as status,
    ranked.revenue_rank_12m,
    {{ share('ranked.cumulative_amount_12m', 'greatest(total.won_amount_12m, 0)') }} as cumulative_share_12m
from customers
cross join total
left join ranked on customers.account_id = ranked.account_id
left join {{ ref('stg_accounts') }} as accounts on customers.account_id = accounts.account_id
left join {{ ref('stg_users') }} as owners on accounts.owner_id = owners.user_id
