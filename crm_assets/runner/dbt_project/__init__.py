"""The models as a project for dbt-duckdb: renders it from the model files, and writes it to a folder."""
