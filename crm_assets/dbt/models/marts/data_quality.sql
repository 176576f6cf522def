-- Failing of whatever was checked. Null, not false, is what a check does not apply to.
with deals as (
    select
        won_amount,
        -- Sums of amounts without limit could be too large.
        case when abs(amount) < 1e21 then amount end as amount,
        not has_listed_account as has_no_account,
        coalesce(amount_source not in ('base', 'same currency'), true) as has_no_base_amount,
        coalesce(won_on_source <> 'closed_on', true) as has_no_closing_date,
        coalesce(
            won_on > cast(now() at time zone '{{ var("reporting_timezone") }}' as date), false
        ) as is_in_future
    from {{ ref('won_deal_overview') }}
),

-- What all accounts have won is null if no deal names one.
accounts as (
    select
        won_amount,
        owner_id is null as has_no_owner,
        contacts = 0 as has_no_contact,
        case
            when account_name is not null then count(*) over (partition by lower(account_name)) > 1
        end as has_anothers_name
    from {{ ref('account_overview') }}
    where account_id is not null
),

addresses as (
    select coalesce(email, work_email) as address
    from {{ ref('stg_contacts') }}
    where not is_deleted
),

known as (
    select count(address) as addresses
    from addresses
),

-- If no contact has an address, addresses are left out (personal_data), and there is nothing to check.
contacts as (
    select case when known.addresses > 0 then addresses.address is null end as has_no_address
    from addresses
    cross join known
),

tasks as (
    select
        due_at is null as has_no_due_date,
        owner_id is null as has_no_owner
    from {{ ref('stg_open_tasks') }}
    where is_open
),

-- A value that does not fit its column's type is in the column's variant. There may be none. It may be empty,
-- and no text if the CRM itself has a field of such a name.
no_variant as (
    select cast(null as varchar) as none__v_text
),

misfits as (
    {% for list in ['accounts', 'contacts', 'won_deals', 'open_tasks', 'past_appointments'] %}
        select concat_ws('-', '', *columns('__v_text$')) as misfit
        from {{ source('present', list) }}
        cross join no_variant
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

fitting as (
    select misfit <> '' as has_misfit
    from misfits
),

-- Declared columns have a description.
fields as (
    select coalesce(comment, '') = '' as is_undeclared
    from duckdb_columns()
    where
        database_name = current_database()
        and schema_name = 'raw'
        and table_name in ('accounts', 'contacts', 'won_deals', 'open_tasks', 'past_appointments')
        and not starts_with(column_name, '_dlt_')
        and not ends_with(column_name, '__v_text')
),

counted as (
    {% for name, records, failing, amount in [
        ('deals without a listed account', 'deals', 'has_no_account', 'won_amount'),
        ("deals without an amount in the company''s currency", 'deals', 'has_no_base_amount',
            'coalesce(won_amount, amount)'),
        ('deals without a closing date', 'deals', 'has_no_closing_date', 'won_amount'),
        ('deals dated in the future', 'deals', 'is_in_future', 'won_amount'),
        ('accounts without an owner', 'accounts', 'has_no_owner', 'won_amount'),
        ('accounts without a contact', 'accounts', 'has_no_contact', 'won_amount'),
        ('accounts with the name of another', 'accounts', 'has_anothers_name', 'won_amount'),
        ('contacts without an e-mail address', 'contacts', 'has_no_address', none),
        ('open tasks without a due date', 'tasks', 'has_no_due_date', none),
        ('open tasks without an owner', 'tasks', 'has_no_owner', none),
        ('records with a value of another type', 'fitting', 'has_misfit', none),
        ('fields that are not declared', 'fields', 'is_undeclared', none),
    ] %}
        {% set nothing = 'if(count(won_amount) = count(*), 0, null)' if records == 'accounts' else 0 %}
        select
            {{ loop.index }} as position,
            '{{ name }}' as check_name,
            count({{ failing }}) as checked,
            count(*) filter (where {{ failing }}) as failing,
            {% if amount %}coalesce(sum({{ amount }}) filter (where {{ failing }}), {{ nothing }})
            {%- else %}cast(null as decimal(38, 9))
            {%- endif %} as amount_affected
        from {{ records }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    check_name,
    checked,
    failing,
    {{ share('failing', 'checked', 5) }} as share,
    amount_affected
from counted
order by position
