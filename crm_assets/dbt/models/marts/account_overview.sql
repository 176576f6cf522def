with accounts as (
    select
        *,
        -- Null in the row of deals without a listed account.
        0 as zero
    from {{ ref('stg_accounts') }}
    where not is_deleted
),

contacts as (
    select account_id
    from {{ ref('stg_contacts') }}
    where not is_deleted
),

-- Of a deal whose account is unknown, or no longer listed, listed_account_id is null.
deals as (
    select
        won.account_id,
        accounts.account_id as listed_account_id,
        won.won_amount,
        won.won_on
    from {{ ref('stg_won_deals') }} as won
    left join accounts on won.account_id = accounts.account_id
    where not won.is_deleted
),

links as (
    select * from {{ ref('stg_activity_accounts') }}
),

-- Plain lists of the API leave the account out. Then the number is unknown, and not zero.
known as (
    select
        (select count(*) = 0 or count(account_id) > 0 from contacts) as contacts_are_linked,
        (select count(*) = 0 or count(account_id) > 0 from deals) as deals_are_linked
),

contact_counts as (
    select
        account_id,
        count(*) as contacts
    from contacts
    group by account_id
),

deal_sums as (
    select
        listed_account_id,
        count(*) as won_deals,
        coalesce(sum(won_amount), 0) as won_amount,
        min(won_on) as first_won_on,
        max(won_on) as last_won_on
    from deals
    group by listed_account_id
),

task_sums as (
    select
        links.account_id,
        count(*) as open_tasks,
        count(*) filter (where tasks.due_at < now()) as overdue_tasks,
        min(tasks.due_at) filter (where tasks.due_at >= now()) as next_task_due_at
    from links
    inner join {{ ref('stg_open_tasks') }} as tasks on links.activity_id = tasks.task_id
    where links.activity_type = 'task' and tasks.is_open
    group by links.account_id
),

appointment_sums as (
    select
        links.account_id,
        count(*) as past_appointments,
        max(appointments.held_at) filter (where appointments.held_at <= now()) as last_appointment_at
    from links
    inner join {{ ref('stg_past_appointments') }} as appointments
        on links.activity_id = appointments.appointment_id
    where links.activity_type = 'appointment'
    group by links.account_id
),

-- The deals without a listed account are a row, so that the sum of all rows is the whole revenue.
joined as (
    select
        accounts.account_id,
        case
            when accounts.account_id is null then 'Deals without a listed account'
            else accounts.account_name
        end as account_name,
        accounts.parent_account_id,
        parents.account_name as parent_account_name,
        accounts.owner_id,
        owners.user_name as owner_name,
        accounts.industry_type_id,
        industries.record_name as industry_name,
        accounts.territory_id,
        territories.record_name as territory_name,
        accounts.city,
        accounts.country,
        accounts.website,
        accounts.annual_revenue,
        accounts.number_of_employees,
        accounts.created_at,
        case
            when known.contacts_are_linked then coalesce(contact_counts.contacts, accounts.zero)
        end as contacts,
        coalesce(deal_sums.won_deals, case when known.deals_are_linked then 0 end) as won_deals,
        coalesce(deal_sums.won_amount, case when known.deals_are_linked then 0 end) as won_amount,
        deal_sums.first_won_on,
        deal_sums.last_won_on,
        accounts.crm_won_deals,
        accounts.crm_won_deals_amount,
        accounts.crm_open_deals,
        accounts.crm_open_deals_amount,
        coalesce(task_sums.open_tasks, accounts.zero) as open_tasks,
        coalesce(task_sums.overdue_tasks, accounts.zero) as overdue_tasks,
        task_sums.next_task_due_at,
        coalesce(appointment_sums.past_appointments, accounts.zero) as past_appointments,
        appointment_sums.last_appointment_at,
        accounts.last_contacted_at,
        -- The CRM can have activities in the future; these are not the last one.
        greatest(
            case when accounts.last_contacted_at <= now() then accounts.last_contacted_at end,
            case when accounts.last_activity_at <= now() then accounts.last_activity_at end,
            appointment_sums.last_appointment_at
        ) as last_activity_at
    from accounts
    full outer join deal_sums on accounts.account_id = deal_sums.listed_account_id
    cross join known
    left join {{ ref('stg_accounts') }} as parents on accounts.parent_account_id = parents.account_id
    left join {{ ref('stg_users') }} as owners on accounts.owner_id = owners.user_id
    left join {{ ref('stg_names') }} as industries
        on industries.array_name = 'industry_types' and accounts.industry_type_id = industries.record_id
    left join {{ ref('stg_names') }} as territories
        on territories.array_name = 'territories' and accounts.territory_id = territories.record_id
    left join contact_counts on accounts.account_id = contact_counts.account_id
    left join task_sums on accounts.account_id = task_sums.account_id
    left join appointment_sums on accounts.account_id = appointment_sums.account_id
),

dated as (
    select
        *,
        cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as today,
        cast(last_activity_at at time zone '{{ var("reporting_timezone") }}' as date) as last_activity_on,
        cast(
            coalesce(last_activity_at, created_at) at time zone '{{ var("reporting_timezone") }}' as date
        ) as quiet_since
    from joined
)

select
    * exclude (today, quiet_since),
    date_diff('day', last_activity_on, today) as days_since_last_activity,
    case when quiet_since is not null then greatest(date_diff('day', quiet_since, today), 0) end as days_quiet
from dated
