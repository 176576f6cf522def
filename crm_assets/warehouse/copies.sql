-- tables:
select schema_name, table_name, comment
from duckdb_tables()
where database_name = 'moved_file'
order by all

-- comments:
select column_name, comment
from duckdb_columns()
where database_name = 'moved_file' and schema_name = ? and table_name = ? and comment is not null

-- present_views: The others read view `since`.
select sql
from duckdb_views()
where database_name = 'moved_file' and schema_name = 'present'
order by view_name <> 'since'

-- loads:
select resource, max(_dlt_load_id) from raw.sync_log group by resource order by resource
