"""The CRM as a dlt source: its API, schemas, reading, HTTP and typing. Imports `settings`, never Dagster or DuckDB."""
