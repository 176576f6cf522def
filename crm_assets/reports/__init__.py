"""Reports: figures from the marts, drawn as charts on one page. Imports DuckDB, not Dagster."""
