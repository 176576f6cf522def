"""Dagster assets: raw assets, models and reports, with checks and metadata. Imports `warehouse` and `source`."""
