"""Validates a model's entry in its folder's YAML. Each error message has file, line and remedy."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.runner.dbt_features import instead, jinja
from crm_assets.runner.folders import FOLDERS
from crm_assets.runner.model import Model
from crm_assets.yaml_files import line_of

MODEL_KEYS = frozenset({"name", "description", "config", "meta", "columns", "data_tests"})
COLUMN_KEYS = frozenset({"name", "description", "data_tests"})
STRATEGIES = {"timestamp": "updated_at", "check": "check_cols"}
HARD_DELETES = ("ignore", "invalidate", "new_record")


def in_properties(model: Model) -> Iterator[str]:
    """All errors in the model's entry."""
    entry = model.properties
    folder = FOLDERS[model.folder]
    own_keys = {"relation"} if model.folder == "snapshots" else set()
    yield from _unknown_keys(model, entry, MODEL_KEYS | own_keys)
    yield from _templates(model, entry)
    if "relation" in entry and model.path.suffix == ".sql":
        yield f"{_at(model, entry, 'relation')}: the SELECT is in {model.path.name}: remove relation or that file"
    config = entry.get("config") or {}
    if not isinstance(config, dict):
        yield (
            f"{_at(model, entry, 'config')}: config is {config!r}: write keys and values below it, such as "
            "materialized: table"
        )
        return
    yield from _unknown_keys(model, config, folder.config)
    yield from _in_config(model, config)
    yield from _in_columns(model)


def _in_config(model: Model, config: Mapping[str, Any]) -> Iterator[str]:
    allowed = FOLDERS[model.folder].materializations
    if model.materialized not in allowed:
        others = [name for name, folder in FOLDERS.items() if model.materialized in folder.materializations]
        move = f", or move the file to {others[0]}/" if others else ""
        yield (
            f"{_at(model, config, 'materialized')}: materialized is {model.materialized!r}: use one of "
            f"{', '.join(allowed)}{move}"
        )
    if model.keeps_rows and not model.unique_key:
        where = _at(model, model.properties, "config")
        yield f"{where}: {model.materialized} needs a unique_key: add the column that identifies a row to config"
    if model.owner is not None and not (str(model.owner).startswith("team:") or "@" in str(model.owner)):
        yield f"{_at(model, model.properties)}: the owner is {model.owner!r}: write team:NAME or an e-mail address"
    if model.materialized == "snapshot":
        yield from _in_snapshot(model, config)
    types = config.get("column_types") or {}
    if not isinstance(types, dict):
        yield f"{_at(model, config, 'column_types')}: column_types is {types!r}: write column: type below it"
    elif model.materialized == "seed":
        header = model.path.read_text(encoding="utf-8-sig").partition("\n")[0].strip().replace('"', "").split(",")
        for column in types:
            if column not in header:
                yield f"{_at(model, types, column)}: {model.path.name} has no column {column}: correct the name"


def _in_snapshot(model: Model, config: Mapping[str, Any]) -> Iterator[str]:
    strategy, deletes, checked = config.get("strategy"), config.get("hard_deletes", "ignore"), config.get("check_cols")
    if strategy not in STRATEGIES:
        yield f"{_at(model, config, 'strategy')}: strategy is {strategy!r}: use one of {', '.join(STRATEGIES)}"
    elif not config.get(STRATEGIES[strategy]):
        yield f"{_at(model, config, 'strategy')}: strategy {strategy} needs {STRATEGIES[strategy]}: add it to config"
    if deletes not in HARD_DELETES:
        allowed = ", ".join(HARD_DELETES)
        yield f"{_at(model, config, 'hard_deletes')}: hard_deletes is {deletes!r}: use one of {allowed}"
    if checked not in {None, "all"} if not isinstance(checked, list) else False:
        yield f"{_at(model, config, 'check_cols')}: check_cols is {checked!r}: write a list of columns, or all"


def _in_columns(model: Model) -> Iterator[str]:
    columns = model.properties.get("columns") or []
    if misnamed := [column for column in columns if not isinstance(column, dict) or not column.get("name")]:
        yield f"{_at(model, misnamed[0])}: a column has no name: {misnamed[0]!r}"
        return
    names = [column["name"] for column in columns]
    for column in columns:
        where = _at(model, column)
        yield from _unknown_keys(model, column, COLUMN_KEYS)
        if not str(column.get("description") or "").strip():
            yield f"{where}: column {column['name']} has no description: say what it holds"
        if names.count(column["name"]) > 1:
            yield f"{where}: column {column['name']} is listed twice: keep one entry"
    try:
        _ = model.data_tests
    except ModelsRefused as error:
        yield f"{model.properties_path}:{error.line}: {model.name}: {error}"


def _templates(model: Model, value: Any, line: int = 1) -> Iterator[str]:
    """Templates in texts of the YAML, wherever they stand: dbt would fill them in."""
    if isinstance(value, str):
        if template := jinja(value):
            yield f"{model.properties_path}:{line}: {model.name}: {template[1]}"
    elif isinstance(value, Mapping):
        for key, within in value.items():
            yield from _templates(model, within, line_of(value, key))
    elif isinstance(value, list):
        for within in value:
            yield from _templates(model, within, line)


def _unknown_keys(model: Model, mapping: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    # A misspelt key could be a test that never runs.
    for key in sorted(set(mapping) - set(known)):
        remedy = instead(key) or f"use one of {', '.join(sorted(known))}"
        yield f"{_at(model, mapping, key)}: the key {key!r} cannot be used: {remedy}"


def _at(model: Model, mapping: Any, key: str | None = None) -> str:
    return f"{model.properties_path or model.path}:{line_of(mapping, key)}: {model.name}"
