-- One row per metric on the page: its definition, which is the description of the mart's column.
with shown as (
    select * from (
        values
        ('Won amount', 'won_deal_overview', 'won_amount'),
        ('Overdue tasks', 'task_backlog', 'overdue_tasks'),
        ('Meetings in 30 days', 'pipeline_health_daily', 'appointments_30_days'),
        ('Days quiet', 'account_overview', 'days_quiet')
    ) as metrics (metric, mart, name) -- noqa: AL05
)

select
    shown.metric,
    regexp_replace(described.comment, '\s+', ' ', 'g') as definition
from shown
inner join duckdb_columns() as described
    on shown.mart = described.table_name and shown.name = described.column_name
where
    described.database_name = current_database()
    and described.schema_name = 'marts'
    and described.comment is not null
order by shown.metric
