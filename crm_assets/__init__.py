"""A CRM's accounts, contacts, won deals, open tasks and past appointments in DuckDB, run by Dagster."""

import atexit
import gc
import os
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parent.parent

# dlt looks for .dlt/config.toml and .dlt/secrets.toml below the working directory, and falls back to sending
# telemetry when it finds neither. Commands may be started from anywhere, so it is told where the project is.
os.environ.setdefault("DLT_PROJECT_DIR", str(PROJECT_DIR))

# Pages come as hundreds of thousands of values without a cycle among them. As set by Python, its garbage collector goes
# through these, and all objects of the imported libraries, again and again, and once more when the process ends.
gc.set_threshold(100_000, 50, 100)
atexit.register(gc.freeze)
