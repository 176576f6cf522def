"""A folder of models that a test writes, read and built as the project's own."""

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import yaml

from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model


@dataclass(frozen=True)
class ModelProject:
    """Model files below `folder`."""

    folder: Path

    def write(self, file: str, text: str) -> Path:
        """Writes one file, such as `marts/sales.sql`."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def models(self) -> dict[str, Model]:
        """The models, by address."""
        return {model.address: model for model in load_models(self.folder)}

    def mart(self, sql: str, properties: str = "{}") -> Model:
        """Writes `marts.sales` and reads it; `properties` is its YAML entry without the name."""
        self.write("marts/sales.sql", sql)
        entry = {"name": "sales", **yaml.safe_load(properties)}
        self.write("marts/marts.yml", yaml.safe_dump({"models": [entry]}))
        return self.models()["marts.sales"]
