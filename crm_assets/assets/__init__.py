"""What Dagster shows: raw assets, models and checks."""
