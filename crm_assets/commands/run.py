"""Run a job, or materialize an asset, in this process. The UI shows it as a run of this code location.

`dagster job execute` and `dagster asset materialize` do so as well, but the UI's timeline, and the pages of jobs, leave
out their runs.
"""

import os
from argparse import ArgumentParser, Namespace
from contextlib import nullcontext
from pathlib import Path

from filelock import FileLock

from crm_assets.errors import SettingsError


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the name."""
    parser.add_argument("name", help="of a job, such as crm_full_refresh, or of an asset, such as raw/accounts")


def run(arguments: Namespace) -> int:
    """Runs it. Without DAGSTER_HOME nothing is stored about the run.

    Raises:
        SettingsError: There is no such job or asset, or DAGSTER_HOME is wrong.
    """
    # Imported here: other commands do not need Dagster.
    from dagster import DagsterError, DagsterInstance

    from crm_assets.console import CONSOLE
    from crm_assets.dagster_internals import run_named

    home = os.environ.get("DAGSTER_HOME", "")
    try:
        # Processes that create Dagster's SQLite files at the same time fail, or leave some that cannot be used.
        with FileLock(Path(home, ".lock")) if Path(home).is_dir() and home else nullcontext():
            instance = DagsterInstance.get() if home else DagsterInstance.ephemeral()
    except DagsterError as error:  # the folder is missing, or its dagster.yaml is wrong
        raise SettingsError(str(error)) from None
    with instance:
        return 0 if run_named(instance, arguments.name, CONSOLE) else 1
