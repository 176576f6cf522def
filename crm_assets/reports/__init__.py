"""Reports: figures from the marts, with charts, on one page. Imports DuckDB, not Dagster."""
