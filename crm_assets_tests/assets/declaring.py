"""Schemas that a test changes, as a user does in the YAML files, and loads that follow them."""

from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import yaml

from crm_assets.source import schemas
from crm_assets_tests.assets.raw_runs import Run, columns, materialize, rows
from crm_assets_tests.scripted_crm import configured_crm


class Declarations:
    """A copy of the project's schemas, which counts in their place."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nothing is changed yet."""
        self.folder = copytree(schemas.SCHEMAS_DIR, folder)
        self._files = {file.stem: file.read_bytes() for file in self.folder.iterdir()}
        monkeypatch.setattr(schemas, "SCHEMAS_DIR", self.folder)
        schemas.resource_schema.cache_clear()

    def declare(self, resource: str = "open_tasks", **types: str) -> None:
        """Adds these columns to the project's own, or changes their types, and forgets what was declared before."""
        document = yaml.safe_load(self._files[resource])
        for name, data_type in types.items():
            document["columns"][name] = {"data_type": data_type, "description": "Declared by a test."}
        self._write(resource, document)

    def leave_out(self, column: str, resource: str = "open_tasks") -> None:
        """Declares the project's own columns without one of them."""
        document = yaml.safe_load(self._files[resource])
        del document["columns"][column]
        self._write(resource, document)

    def _write(self, resource: str, document: object) -> None:
        (self.folder / f"{resource}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        schemas.resource_schema.cache_clear()


def load(*records: dict[str, Any]) -> Run:
    """Reads a list of these."""
    with configured_crm(lists={"open_tasks": list(records)}):
        run = materialize("open_tasks")
    assert run.success, run.failure("open_tasks")
    return run


def scores(*values: Any, first: int = 1) -> list[dict[str, Any]]:
    """Records with these scores."""
    return [{"id": id_, "score": value} for id_, value in enumerate(values, first)]


def found(column: str = "score") -> list[tuple[Any, Any]]:
    """What is in a column and in the variant beside it, by id."""
    variant = f"{column}__v_text" if f"{column}__v_text" in columns("open_tasks") else "null"
    return rows(f"select {column}, {variant} from raw.open_tasks order by id")
