"""What Dagster shows: raw assets and models, their checks and metadata. Imports `warehouse` and `source`."""
