"""Models as files: one SELECT in a `.sql` file, its documentation and tests in YAML beside it, in dbt's shape."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

MODELS_DIR = Path(__file__).resolve().parent.parent / "models"
FOLDER_DEFAULTS: Mapping[str, str] = {"staging": "view", "marts": "table"}
"""Folder -> materialization. A folder is also the DuckDB schema and the asset group of its models."""

BOOKKEEPING = frozenset({"raw.sync_log", "raw.rejected_records"})
"""Tables that every raw asset writes to; they are no assets."""


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        folder: Its folder below `models/`, which is its DuckDB schema.
        name: Its file's name without `.sql`, which is its table's.
        path: The SQL file.
        sql: The SELECT.
        properties: Its entry in the folder's YAML: description, config, columns, data_tests.
    """

    folder: str
    name: str
    path: Path
    sql: str
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """`folder.name`: how other models refer to it."""
        return f"{self.folder}.{self.name}"

    @property
    def materialized(self) -> str:
        """view, table or incremental."""
        return str(self.properties.get("config", {}).get("materialized", FOLDER_DEFAULTS[self.folder]))

    @property
    def unique_key(self) -> str | None:
        """The column by which an incremental model replaces rows."""
        key = self.properties.get("config", {}).get("unique_key")
        return None if key is None else str(key)

    @property
    def columns(self) -> Mapping[str, str]:
        """Documented column -> description."""
        return {column["name"]: column["description"] for column in self.properties.get("columns", [])}

    @property
    def code_version(self) -> str:
        """Changes when the SQL or how it is materialized changes, so that the UI shows what is stale."""
        return hashlib.sha256(f"{self.materialized}\n{self.sql}".encode()).hexdigest()[:16]

    @cached_property
    def query(self) -> exp.Query:
        """The SELECT, parsed."""
        parsed = sqlglot.parse_one(self.sql, dialect="duckdb")
        assert isinstance(parsed, exp.Query)
        return parsed

    @cached_property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the tables it reads: every `schema.table` in its SQL, but for the raw assets' own records."""
        addresses = {f"{table.db}.{table.name}" for table in self.query.find_all(exp.Table) if table.db}
        return frozenset(addresses - BOOKKEEPING)


def read_models(models_dir: Path = MODELS_DIR) -> list[Model]:
    """All models below `models_dir`, by address."""
    models = []
    for folder in FOLDER_DEFAULTS:
        properties: dict[str, Any] = {}
        for file in sorted((models_dir / folder).glob("*.yml")):
            document = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            properties.update({entry["name"]: entry for entry in document["models"]})
        for path in sorted((models_dir / folder).glob("*.sql")):
            models.append(Model(folder, path.stem, path, path.read_text(encoding="utf-8"), properties.get(path.stem, {})))
    return models
