{# The changes of a snapshot. `s` has quoted names: this, key, columns (with types), updated_at, checked; and hard_deletes.
   The records of now are in `source`, a table or a subquery, and the session's variable snapshot_time is the time of the build in UTC. #}

{% macro snapshot_time() %}getvariable('snapshot_time')::timestamp{% endmacro %}

{# The time of the build, but later than another one: a clock may have been wrong, and so may that of updated_at. #}
{% macro snapshot_after(last) -%}
greatest({{ snapshot_time() }}, try_cast(cast({{ last }} as varchar) as timestamp) + interval 1 microsecond)
{%- endmacro %}

{# dbt's hash of values. #}
{% macro snapshot_hash(values) -%}
md5({% for value in values %}coalesce(cast({{ value }} as varchar), ''){{ " || '|' || " if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro snapshot_current(s) %}(select * from {{ s.this }} where dbt_valid_to is null){% endmacro %}

{% macro snapshot_same(s, table) -%}
{% for column in s.key %}{{ table }}.{{ column }} = source.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
{%- endmacro %}

{# Records that are not there any more, and are not marked as such. #}
{% macro snapshot_gone(s) -%}
from {{ snapshot_current(s) }} as current
anti join {{ s.source }} as source on {{ snapshot_same(s, 'current') }}
{% if s.hard_deletes == 'new_record' %}where current.dbt_is_deleted <> 'True'{% endif %}
{%- endmacro %}

{# The records with dbt's columns of a new row. `last`: the last time that is known of a record. #}
{% macro snapshot_rows(s, last=none) -%}
{% set now = snapshot_after(last) if last else snapshot_time() %}
{% set is_later = 'coalesce(source.' ~ s.updated_at ~ ' > ' ~ last ~ ', true)' if last else 'true' %}
{% set updated_at = 'source.' ~ s.updated_at if s.updated_at else now %}
{% set case = 'case when ' ~ updated_at ~ ' is not null and ' ~ is_later ~ ' then ' %}
{% set type = s.columns.get(s.updated_at) %}
{% set since = case ~ updated_at ~ ' else try_cast(' ~ now ~ ' as ' ~ type ~ ') end' if s.updated_at else now %}
{% set text = case ~ updated_at ~ '::varchar else ' ~ now ~ '::varchar end' if s.updated_at else now %}
{% set key = [] %}
{% for column in s.key %}{% do key.append('source.' ~ column) %}{% endfor %}
select
    source.*,
    {{ snapshot_hash(key + [text]) }} as dbt_scd_id,
    {{ updated_at }} as dbt_updated_at,
    {{ since }} as dbt_valid_from,
    nullif({{ since }}, {{ since }}) as dbt_valid_to
    {% if s.hard_deletes == 'new_record' %}, 'False' as dbt_is_deleted{% endif %}
from {{ s.source }} as source
{%- endmacro %}

{# The records, and in dbt's columns with times what a new row would have. #}
{% macro snapshot_types(s) -%}
select
    source.*
    {% if s.updated_at %}
    {% for column in ('dbt_updated_at', 'dbt_valid_from', 'dbt_valid_to') %}, source.{{ s.updated_at }} as {{ column }}{% endfor %}
    {% endif %}
from {{ s.source }} as source
{%- endmacro %}

{# The rows to add: of new and changed records, and of deleted ones if these get a row. #}
{% macro snapshot_opened(s) -%}
{{ snapshot_rows(s, 'known.last') }}
left join {{ snapshot_current(s) }} as current on {{ snapshot_same(s, 'current') }}
left join (
    select {{ s.key | join(', ') }}, max(greatest(dbt_valid_from, dbt_valid_to)) as last
    from {{ s.this }}
    group by {{ s.key | join(', ') }}
) as known on {{ snapshot_same(s, 'known') }}
where
    current.{{ s.key[0] }} is null
    {% for column in s.checked %}or current.{{ column }} is distinct from source.{{ column }}
    {% else %}or coalesce(source.{{ s.updated_at }} > current.dbt_updated_at, source.{{ s.updated_at }} is not null)
    {% endfor %}
    {% if s.hard_deletes == 'new_record' %}
    or current.dbt_is_deleted = 'True'
union all by name
select
    {% for column in s.columns %}current.{{ column }}, {% endfor %}
    {{ snapshot_hash(['current.dbt_scd_id', snapshot_time()]) }} as dbt_scd_id,
    {{ snapshot_after('current.dbt_valid_from') }} as dbt_updated_at,
    {{ snapshot_after('current.dbt_valid_from') }} as dbt_valid_from,
    null as dbt_valid_to,
    'True' as dbt_is_deleted
{{ snapshot_gone(s) }}
    {% endif %}
{%- endmacro %}

{# The rows to close: of records that get another row, and of deleted ones that get none. #}
{% macro snapshot_closed(s) -%}
select current.dbt_scd_id, source.dbt_valid_from as valid_to
from {{ snapshot_current(s) }} as current
join snapshot_opened as source on {{ snapshot_same(s, 'current') }}
{% if s.hard_deletes == 'invalidate' %}
union all
select current.dbt_scd_id, {{ snapshot_after('current.dbt_valid_from') }} {{ snapshot_gone(s) }}
{% endif %}
{%- endmacro %}
