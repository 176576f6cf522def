"""Tables in a DuckLake: a catalog in PostgreSQL, Parquet files in a folder or a bucket."""
