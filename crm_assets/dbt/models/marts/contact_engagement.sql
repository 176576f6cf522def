with contacts as (
    select * from {{ ref('stg_contacts') }}
    where not is_deleted
),

links as (
    select * from {{ ref('stg_activity_targets') }}
),

meeting_sums as (
    select
        links.target_id as contact_id,
        count(*) as meetings,
        max(appointments.held_at) filter (where appointments.held_at <= now()) as last_meeting_at
    from links
    inner join {{ ref('stg_past_appointments') }} as appointments
        on links.activity_id = appointments.appointment_id
    where links.activity_type = 'appointment' and links.target_type = 'Contact'
    group by links.target_id
),

task_sums as (
    select
        links.target_id as contact_id,
        count(*) as open_tasks
    from links
    inner join {{ ref('stg_open_tasks') }} as tasks on links.activity_id = tasks.task_id
    where links.activity_type = 'task' and links.target_type = 'Contact' and tasks.is_open
    group by links.target_id
),

joined as (
    select
        contacts.contact_id,
        contacts.full_name,
        contacts.job_title,
        contacts.email,
        contacts.owner_id,
        owners.user_name as owner_name,
        contacts.lifecycle_stage_id,
        stages.record_name as lifecycle_stage_name,
        contacts.lead_score,
        contacts.subscription_status,
        contacts.account_id,
        accounts.account_name,
        contacts.created_at,
        -- The CRM can have activities in the future; these are not the last one.
        greatest(
            case when contacts.last_contacted_at <= now() then contacts.last_contacted_at end,
            case when contacts.last_activity_at <= now() then contacts.last_activity_at end,
            meeting_sums.last_meeting_at
        ) as last_contact_at,
        coalesce(meeting_sums.meetings, 0) as meetings,
        meeting_sums.last_meeting_at,
        coalesce(task_sums.open_tasks, 0) as open_tasks,
        contacts.crm_open_deals,
        contacts.crm_won_deals,
        contacts.crm_won_deals_amount
    from contacts
    left join {{ ref('stg_accounts') }} as accounts on contacts.account_id = accounts.account_id
    left join {{ ref('stg_users') }} as owners on contacts.owner_id = owners.user_id
    left join {{ ref('stg_names') }} as stages
        on stages.array_name = 'lifecycle_stages' and contacts.lifecycle_stage_id = stages.record_id
    left join meeting_sums on contacts.contact_id = meeting_sums.contact_id
    left join task_sums on contacts.contact_id = task_sums.contact_id
),

dated as (
    select
        *,
        date_diff(
            'day',
            cast(last_contact_at at time zone '{{ var("reporting_timezone") }}' as date),
            cast(now() at time zone '{{ var("reporting_timezone") }}' as date)
        ) as days_since_last_contact
    from joined
)

select
    *,
    case
        when days_since_last_contact is null then 'never'
        when days_since_last_contact <= 30 then 'active'
        when days_since_last_contact <= 90 then 'cooling'
        else 'dormant'
    end as engagement
from dated
