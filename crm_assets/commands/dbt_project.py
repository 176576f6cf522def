"""Write the models as a project for dbt: python -m crm_assets dbt-project FOLDER.

With `dbt build --profiles-dir .` in the folder, dbt-core 1.11 and dbt-duckdb make the same tables from the same raw
tables: models, seeds, snapshots and tests. A folder with anything else in it is left alone, and so is an earlier export
that was changed since.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from crm_assets.settings import resolve_settings
from crm_assets.sql_models.dbt_project.rendering import project_files
from crm_assets.sql_models.dbt_project.writing import NotExported, write_project
from crm_assets.sql_models.loading import load_models
from crm_assets.warehouse.address import backend_at
from crm_assets.warehouse.duckdb_file import DuckDBFile


def add_arguments(parser: ArgumentParser) -> None:
    """Takes a folder, and a database."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="where to; made if it is not there")
    parser.add_argument(
        "--database",
        metavar="FILE",
        type=Path,
        help="DuckDB file that dbt is to work on, with the schema raw (default: the one in use)",
    )


def run(arguments: Namespace) -> int:
    """Writes, and prints what to do next."""
    database, timezone = (arguments.database or _in_use()).absolute(), resolve_settings().reporting_timezone
    models = load_models()
    write_project(arguments.folder, project_files(models, str(database), timezone))
    print(f"{len(models)} models for dbt are in {arguments.folder}, to work on {database}. Next:")
    print(f"cd {arguments.folder} && dbt build --profiles-dir .")
    return 0


def _in_use() -> Path:
    warehouse = backend_at("", wait=0, config={}, announce=print)
    if not isinstance(warehouse, DuckDBFile):
        raise NotExported(f"{warehouse.name} is no DuckDB file: name one with --database")
    return warehouse.path
