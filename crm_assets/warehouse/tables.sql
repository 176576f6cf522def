-- tables:
select schema_name, view_name, 'view' from duckdb_views() where database_name = current_database()
union all
select distinct schema_name, table_name, 'table' from {tables}() where database_name = current_database()

-- kind:
select type from duckdb_databases() where database_name = current_database()

-- commented: DuckDB binds all views for it again.
select column_name, coalesce(comment, '')
from duckdb_columns()
where database_name = current_database() and schema_name = ? and table_name = ?
