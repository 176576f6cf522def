"""From Parquet files of a read to raw tables, in one transaction with the sync log."""
