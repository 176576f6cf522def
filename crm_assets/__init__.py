"""A CRM's accounts, contacts, won deals, open tasks and past appointments in DuckDB, run by Dagster."""

import os
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent

# dlt looks for .dlt/config.toml and .dlt/secrets.toml below the working directory, and falls back to sending
# telemetry when it finds neither. Commands may be started from anywhere, so it is told where the project is.
os.environ.setdefault("DLT_PROJECT_DIR", str(PROJECT_DIR))
