"""Write the models as a project for dbt: python -m crm_assets dbt-project FOLDER.

`dbt build --profiles-dir .` in that folder, with dbt-core 1.11 and dbt-duckdb, builds the same tables from the same raw
tables: models, seeds, snapshots and tests. A folder with other files, or with a changed export, is not overwritten.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from crm_assets.commands.choosing import add_crm_option, chosen_crm
from crm_assets.errors import SettingsError
from crm_assets.runner.dbt_project.rendering import project_files
from crm_assets.runner.dbt_project.writing import write_project
from crm_assets.runner.loading import load_models
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.address import backend_at
from crm_assets.warehouse.duckdb_file import DuckDBFile


def add_arguments(parser: ArgumentParser) -> None:
    """Adds a folder, a database and the CRM."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the target folder; created if missing")
    parser.add_argument(
        "--database",
        metavar="FILE",
        type=Path,
        help="the DuckDB file for dbt, with the schema raw (default: the configured one)",
    )
    add_crm_option(parser)


def run(arguments: Namespace) -> int:
    """Writes the project and prints the next step."""
    crm = chosen_crm(arguments)
    database, timezone = (arguments.database or _in_use(crm)).absolute(), resolve_settings(crm).reporting_timezone
    models = load_models()
    write_project(arguments.folder, project_files(models, str(database), timezone))
    print(f"{len(models)} models were exported to {arguments.folder}, for {database}. Next:")
    print(f"cd {arguments.folder} && dbt build --profiles-dir .")
    return 0


def _in_use(crm: Crm) -> Path:
    warehouse = backend_at("", wait=0, config={}, announce=print, crm=crm)
    if not isinstance(warehouse, DuckDBFile):
        raise SettingsError(f"{warehouse.name} is not a DuckDB file: set one with --database")
    return warehouse.path
