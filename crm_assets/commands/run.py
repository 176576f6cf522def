"""Run a job in this process. The UI shows it as a run of this code location.

`dagster job execute` runs it as well, but the UI's timeline, and the pages of jobs, leave out runs of that command.
"""

import os
from argparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the job."""
    parser.add_argument("job", help="its name, such as crm_full_refresh")


def run(arguments: Namespace) -> int:
    """Runs the job. Without DAGSTER_HOME nothing is stored about the run.

    Raises:
        SettingsError: There is no such job.
    """
    # Imported here: other commands do not need Dagster.
    from dagster import DagsterInstance

    from crm_assets.dagster_internals import run_job

    instance = DagsterInstance.get() if os.environ.get("DAGSTER_HOME") else DagsterInstance.ephemeral()
    with instance:
        return 0 if run_job(instance, arguments.job) else 1
