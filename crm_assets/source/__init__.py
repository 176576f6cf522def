"""The CRM in dlt terms: its API, its schemas, reading, HTTP and typing. Imports `settings`, never Dagster or DuckDB."""
