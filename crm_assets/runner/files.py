"""Reads models from files: a SELECT, a CSV file or a snapshot's YAML entry each, with dbt's properties files."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.runner.dbt_features import EXPORT, instead
from crm_assets.runner.folders import FOLDERS, TESTS
from crm_assets.runner.model import Model
from crm_assets.runner.seeds import seed_select
from crm_assets.runner.singular_tests import read_singular_tests
from crm_assets.yaml_files import Items, Section, line_of, read_yaml

MODELS_DIR = Path(__file__).resolve().parent.parent / "models"
SUFFIXES = (".sql", ".csv", ".yml", ".yaml")


Entries = Mapping[str, tuple[Path, Mapping[str, Any]]]
"""Name -> the YAML file that lists it, and its entry there."""


def read_models(models_dir: Path = MODELS_DIR) -> list[Model]:
    """All models below `models_dir`, by address.

    Raises:
        ModelsRefused: A file is in a wrong folder, or a YAML file cannot be read, or names a model twice or without a
            file.
    """
    for path in sorted(models_dir.rglob("*.*")):
        if path.suffix == ".py":
            raise ModelsRefused(f"{path}:1: dbt's Python models cannot be used here: write SQL, {EXPORT}")
        known = path.parent.parent == models_dir and path.parent.name in (*FOLDERS, TESTS)
        if path.suffix in SUFFIXES and not known:
            raise ModelsRefused(
                f"{path}: models and their YAML belong directly in one of the folders {', '.join((*FOLDERS, TESTS))}: "
                "move it"
            )
    models = [model for folder in FOLDERS for model in _models_in(models_dir / folder)]
    tests = read_singular_tests(models_dir / TESTS, dict(_entries_in(models_dir / TESTS, "data_tests")), models)
    return [replace(model, singular_tests=tests.get(model.address, ())) for model in models]


def _models_in(folder: Path) -> Iterator[Model]:
    kind = FOLDERS[folder.name]
    entries = dict(_entries_in(folder, kind.key))
    paths = {path.stem: path for path in sorted(folder.glob(f"*{kind.suffix}"))}
    for name, (file, entry) in entries.items():
        if name not in paths and not (kind.key == "snapshots" and entry.get("relation")):
            also = ", write relation: schema.table in it" if kind.key == "snapshots" else ""
            raise ModelsRefused(
                f"{file}:{line_of(entry)}: {name} has no {name}{kind.suffix} next to it: add the file{also} or "
                "remove the entry"
            )
    for name in sorted(paths.keys() | entries.keys()):
        properties_path, properties = entries.get(name, (None, {}))
        path = paths.get(name) or properties_path
        if path is not None:
            yield Model(folder.name, name, path, _sql(path, properties), properties, properties_path)


def _sql(path: Path, properties: Mapping[str, Any]) -> str:
    if path.suffix == ".csv":
        return seed_select(path, properties)
    return path.read_text(encoding="utf-8") if path.suffix == ".sql" else f"select * from {properties['relation']}"


def _entries_in(folder: Path, key: str) -> Iterator[tuple[str, tuple[Path, Mapping[str, Any]]]]:
    seen: dict[str, Path] = {}
    for file in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
        for entry in _entries(file, key):
            name = entry["name"]
            if name in seen:
                raise ModelsRefused(
                    f"{file}:{line_of(entry)}: {name} is already listed in {seen[name].name}: keep one entry"
                )
            seen[name] = file
            yield name, (file, entry)


def _entries(file: Path, key: str) -> Iterator[Mapping[str, Any]]:
    document = read_yaml(file, ModelsRefused)
    if not isinstance(document, Section):
        raise ModelsRefused(f"{file}:1: write a list of {key} under the key {key}")
    for other in document.keys() - {key, "version"}:
        remedy = instead(other) or f"in this folder the key is {key}"
        raise ModelsRefused(f"{file}:{line_of(document, other)}: {other} cannot be used here: {remedy}")
    listed = document.get(key)
    if not isinstance(listed, list):
        raise ModelsRefused(f"{file}:{line_of(document, key)}: write a list of {key} under the key {key}")
    for position, entry in enumerate(listed, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            at = listed.lines[position - 1] if isinstance(listed, Items) else 1
            raise ModelsRefused(
                f"{file}:{at}: entry {position} under {key} has no name: use that of its file, without the extension"
            )
        yield entry
