with today as (
    select cast(now() at time zone '{{ var("reporting_timezone") }}' as date) as day
),

accounts as (
    select
        count(*) as accounts,
        count(*) filter (where owner_id is null) as accounts_without_owner,
        try_cast(coalesce(sum(crm_open_deals), 0) as bigint) as crm_open_deals,
        -- Sums of amounts without limit could be too large for the column.
        coalesce(
            sum(crm_open_deals_amount) filter (where abs(crm_open_deals_amount) < 1e21), 0
        ) as crm_open_deals_amount
    from {{ ref('stg_accounts') }}
    where not is_deleted
),

contacts as (
    select
        count(*) as contacts,
        count(*) filter (where account_id is null) as contacts_without_account
    from {{ ref('stg_contacts') }}
    where not is_deleted
),

deals as (
    select
        count(*) as won_deals,
        coalesce(sum(source.won_amount), 0) as won_amount,
        count(*) filter (where source.won_on between today.day - 29 and today.day) as won_deals_30_days,
        coalesce(
            sum(source.won_amount) filter (where source.won_on between today.day - 29 and today.day), 0
        ) as won_amount_30_days
    from {{ ref('stg_won_deals') }} as source
    cross join today
    where not source.is_deleted
),

tasks as (
    select
        count(*) as open_tasks,
        count(*) filter (where due_at < now()) as overdue_tasks,
        count(*) filter (where owner_id is null) as unassigned_tasks
    from {{ ref('stg_open_tasks') }}
    where is_open
),

appointments as (
    select
        count(*) as past_appointments,
        count(*) filter (where source.held_on between today.day - 29 and today.day) as appointments_30_days
    from {{ ref('stg_past_appointments') }} as source
    cross join today
)

select
    today.day as snapshot_date,
    now() as taken_at,
    accounts.accounts,
    accounts.accounts_without_owner,
    contacts.contacts,
    contacts.contacts_without_account,
    accounts.crm_open_deals,
    accounts.crm_open_deals_amount,
    deals.won_deals,
    deals.won_amount,
    deals.won_deals_30_days,
    deals.won_amount_30_days,
    tasks.open_tasks,
    tasks.overdue_tasks,
    tasks.unassigned_tasks,
    appointments.past_appointments,
    appointments.appointments_30_days
from today
cross join accounts
cross join contacts
cross join deals
cross join tasks
cross join appointments
