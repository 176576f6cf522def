"""Reports: figures from the marts, drawn as charts, on one page. Knows DuckDB and no Dagster."""
