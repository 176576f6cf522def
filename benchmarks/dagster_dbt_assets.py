"""The exported project as dagster-dbt's assets, for dbt_build.py. Started in the project's folder, by .venv-dbt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, Definitions
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

project = DbtProject(Path.cwd(), profiles_dir=Path.cwd())


@dbt_assets(manifest=project.manifest_path)
def models(context: AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """All seeds, models, snapshots and tests."""
    yield from dbt.cli(["build"], context=context).stream()


defs = Definitions(assets=[models], resources={"dbt": DbtCliResource(project)})
