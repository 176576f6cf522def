"""The models as a dbt project for dbt-duckdb: a pure function of the model files, and what writes it to a folder."""
