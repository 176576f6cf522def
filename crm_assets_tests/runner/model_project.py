"""A dbt project that a test writes, read and built as the project's own."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import yaml

from crm_assets.runner.builds import Build, build
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.project import DBT_DIR

KEPT = ("dbt_project.yml", "macros", "tests/generic", "models/sources.yml")


@dataclass(frozen=True)
class ModelProject:
    """A project in `folder`, with the settings, macros and kinds of tests of the project's own, and no models."""

    folder: Path
    connect: Callable[[], duckdb.DuckDBPyConnection] = duckdb.connect

    def __post_init__(self) -> None:
        for name in KEPT:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (DBT_DIR / name).is_dir() else shutil.copy
            copy(DBT_DIR / name, target)

    def path(self, file: str) -> Path:
        """Where a file is: `marts/sales.sql` and others of models are in `models/`."""
        own = ("seeds", "snapshots", "tests", "macros", "models")
        return self.folder / file if file.startswith(own) or "/" not in file else self.folder / "models" / file

    def write(self, file: str, text: str) -> Path:
        """Writes one file, such as `marts/sales.sql`."""
        path = self.path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8", newline="")
        return path

    def add_settings(self, text: str) -> None:
        """Adds keys to `dbt_project.yml`."""
        with self.path("dbt_project.yml").open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def models(self) -> dict[str, Model]:
        """The models, by address."""
        return {model.address: model for model in load_models(self.folder)}

    def mart(self, sql: str, properties: str = "{}") -> Model:
        """Writes `marts.sales` and reads it; `properties` is its YAML entry without the name."""
        self.write("marts/sales.sql", sql)
        entry = {"name": "sales", **yaml.safe_load(properties)}
        self.write("marts/marts.yml", yaml.safe_dump({"models": [entry]}))
        return self.models()["marts.sales"]

    @cached_property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The database that models are built in, empty at first."""
        return self.connect()

    def build(self, model: Model, *, full_refresh: bool = False) -> Build:
        """Builds a model."""
        return build(self.connection, model, full_refresh=full_refresh)

    def execute(self, sql: str, parameters: object = None) -> list[tuple[Any, ...]]:
        """A statement's rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def rows(self, table: str = "marts.sales") -> list[tuple[Any, ...]]:
        """All rows of a table, sorted."""
        return self.execute(f"from {table} order by all")
