"""Schemas that a test changes, as a user does in the YAML files."""

from pathlib import Path
from shutil import copytree

import pytest
import yaml

from crm_assets.source import schemas


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
