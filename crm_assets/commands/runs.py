"""Commands that run jobs and open what they made."""

import os
import webbrowser
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path

from filelock import FileLock

from crm_assets.commands import Add
from crm_assets.errors import SettingsError
from crm_assets.settings import resolve_settings
from crm_assets.settings.finding import NOT_FOR_TABLES


def add_commands(add: Add) -> None:
    """Adds the commands."""
    about = "a job, such as crm_full_refresh, or an asset, such as raw/accounts"
    add(run, of_a_crm=False).add_argument("name", metavar="NAME", help=about)
    add(report).add_argument("--no-open", action="store_true", help="only print its path")


def run(arguments: Namespace) -> int:
    """Run a job, or materialize an asset, in this process. The UI shows it as a run of this code location.

    `dagster job execute` and `dagster asset materialize` do so as well, but the UI's timeline, and the pages of jobs,
    leave out their runs. Without DAGSTER_HOME nothing is stored about the run.
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
    except Exception as error:  # noqa: BLE001 # a storage raises what its library does
        reason = str(error).partition("\n")[0]
        raise SettingsError(f"Dagster's storage in $DAGSTER_HOME ({home}) cannot be used: {reason}") from None
    with instance:
        return 0 if run_named(instance, arguments.name, CONSOLE) else 1


def report(arguments: Namespace) -> int:
    """Open the sales review in the browser."""
    from crm_assets.reports.page import stored_page

    page = stored_page(resolve_settings(arguments.crm, NOT_FOR_TABLES), arguments.crm)
    print(page)
    if not arguments.no_open:
        webbrowser.open(page.as_uri())
    return 0
