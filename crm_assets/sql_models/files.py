"""Models as files: one SELECT in a `.sql` file, its documentation and tests in YAML beside it, in dbt's shape."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from crm_assets.source.schemas import FAST_SAFE_LOADER
from crm_assets.sql_models.model import FOLDER_DEFAULTS, Model

MODELS_DIR = Path(__file__).resolve().parent.parent / "models"


class ModelsRefused(Exception):
    """Model files that cannot become assets. Tells every file, what is wrong with it and what to change."""


def read_models(models_dir: Path = MODELS_DIR) -> list[Model]:
    """All models below `models_dir`, by address.

    Raises:
        ModelsRefused: A SQL file lies elsewhere; a YAML file cannot be read, names a model twice, or one without SQL.
    """
    models: list[Model] = []
    for path in sorted(models_dir.rglob("*.sql")):
        if path.parent.parent != models_dir or path.parent.name not in FOLDER_DEFAULTS:
            raise ModelsRefused(
                f"{path}: models lie directly in one of the folders {', '.join(FOLDER_DEFAULTS)}: move it"
            )
    for folder in FOLDER_DEFAULTS:
        entries: dict[str, tuple[Path, Mapping[str, Any]]] = {}
        for file in sorted([*(models_dir / folder).glob("*.yml"), *(models_dir / folder).glob("*.yaml")]):
            for entry in _entries(file):
                name = entry["name"]
                if name in entries:
                    raise ModelsRefused(f"{file}: {name} is listed already in {entries[name][0].name}: keep one entry")
                if not file.with_name(f"{name}.sql").exists():
                    raise ModelsRefused(f"{file}: {name} has no {name}.sql beside it: add the file or remove the entry")
                entries[name] = (file, entry)
        for path in sorted((models_dir / folder).glob("*.sql")):
            properties_path, properties = entries.get(path.stem, (None, {}))
            sql = path.read_text(encoding="utf-8")
            models.append(Model(folder, path.stem, path, sql, properties, properties_path))
    return models


def _entries(file: Path) -> Iterator[Mapping[str, Any]]:
    try:
        document = yaml.load(file.read_bytes(), Loader=FAST_SAFE_LOADER)  # noqa: S506 # safe, and in C
    except yaml.YAMLError as error:
        raise ModelsRefused(f"{file}: this is not YAML: {error}") from None
    listed = document.get("models") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ModelsRefused(f"{file}: write a list of models under the key models")
    for position, entry in enumerate(listed, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ModelsRefused(f"{file}: entry {position} under models has no name: give it that of its SQL file")
        yield entry
