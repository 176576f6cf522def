"""Reads dbt's properties files. Each wrong key or type is refused with file and line: it could be a test never run."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.yaml_files import Items, line_of, read_yaml

Spec = Any
"""A mapping of known keys, a list with the spec of its items, a set of allowed values (frozen: in any case of letters),
a tuple of types, or None: anything."""

KINDS = {
    str: "a text",
    list: "a list below it",
    dict: "keys and values below it",
    bool: "true or false, without quotes",
}


def _keys(names: str, **specs: Spec) -> Mapping[str, Spec]:
    return {**dict.fromkeys(names.split()), **specs}


LEVELS: Spec = {}
"""Configuration in `dbt_project.yml`: keys with or without a plus sign, and folders with more of it."""

CONFIG = _keys(
    "docs group access persist_docs quote_columns updated_at check_cols warn_if error_if limit fail_calc event_time "
    "freshness loaded_at_field loaded_at_query",
    **dict.fromkeys(("depends_on_today", "full_refresh", "store_failures"), (bool, NoneType)),
    enabled=(bool,),
    schema=(str,),
    alias=(str,),
    column_types={},
    contract={},
    meta={},
    tags=(str, list),
    unique_key=(str, list),
    where=(str,),
    materialized={"view", "table", "incremental", "ephemeral"},
    incremental_strategy={"append", "delete+insert", "merge"},
    on_schema_change={"append_new_columns"},
    strategy={"timestamp", "check"},
    hard_deletes={"ignore", "invalidate", "new_record"},
    severity=frozenset({"error", "warn"}),
)
"""The keys of `config` that are supported, or that change nothing here."""

TESTS: Spec = []
DESCRIBED = _keys("name description data_type quote tags config", meta={})
COLUMN = {**DESCRIBED, "data_tests": TESTS, "tests": TESTS}
ENTRY = _keys(
    "name description docs relation latest_version group access",
    meta={}, tags=(str, list), config=CONFIG, data_tests=TESTS, tests=TESTS, columns=[COLUMN],
)  # fmt: skip
OF_SOURCES = _keys("freshness loaded_at_field loaded_at_query event_time", meta={}, tags=(str, list))
TABLE = _keys(
    "name description identifier loaded_at_field loaded_at_query freshness external meta tags docs quoting",
    config=OF_SOURCES, columns=[DESCRIBED],
)  # fmt: skip
SOURCE = _keys(
    "name description schema loader loaded_at_field loaded_at_query freshness meta tags quoting overrides",
    config=OF_SOURCES, tables=[TABLE],
)  # fmt: skip
FILE = _keys(
    "version macros exposures groups metrics semantic_models saved_queries analyses",
    models=[ENTRY], seeds=[ENTRY], snapshots=[ENTRY], data_tests=[ENTRY], sources=[SOURCE],
)  # fmt: skip
TEST = _keys("description", name=(str,), arguments={}, config=CONFIG)
PROJECT = _keys(
    "version config-version profile exposures docs-paths asset-paths analysis-paths clean-targets target-path log-path "
    "require-dbt-version quoting flags query-comment",
    name=(str,), vars={}, **dict.fromkeys(("models", "seeds", "snapshots", "data_tests", "tests"), LEVELS),
)  # fmt: skip
"""The keys of `dbt_project.yml`."""

FOR_DBT = "build the project with dbt, as docs/dbt.md shows"
REMEDIES: Mapping[str, str] = {
    "constraints": "write data_tests, or an enforced contract",
    "target_schema": "write schema, as dbt does from 1.9 on",
    "unit_tests": "test the model with pytest, as crm_assets_tests/models does",
    "versions": "write a file for each version",
    **dict.fromkeys(("data_tests", "tests"), "tests of sources are not run: write them for the model that reads it"),
    **dict.fromkeys(("severity", "where", "warn_if", "error_if"), "move it below config"),
}


def read_properties(path: Path, spec: Spec) -> Mapping[str, Any]:
    """The content of a properties file, or of `dbt_project.yml`.

    Raises:
        ModelsRefused: Something in it is unknown or has the wrong type; the message lists all of it.
            Or the file cannot be read.
    """
    try:
        document = read_yaml(path, ModelsRefused) or {}
    except OSError as error:
        raise ModelsRefused(f"{path}: {error.strerror}. Restore it, for the user who runs this to read it") from None
    if problems := list(wrong(document, spec, str(path))):
        raise ModelsRefused("\n".join(problems))
    return document


def wrong(value: Any, spec: Spec, path: str, line: int = 1, where: str = "the file") -> Iterator[str]:
    """What is wrong with a value of a YAML file: unknown keys, other types, other values."""
    at = f"{path}:{line}: {where} is {value!r}"
    kinds = spec if isinstance(spec, tuple) else (type(spec),)
    if spec is None or (value is None and bool not in kinds and not isinstance(spec, list)):
        return
    if isinstance(spec, set | frozenset):
        written = str(value).lower() if isinstance(spec, frozenset) else str(value)
        if written not in spec and "{{" not in written:
            yield f"{at}: use one of {', '.join(sorted(spec))}"
    elif not isinstance(value, kinds) and not (bool in kinds and "{{" in str(value)):
        yield f"{at}: write {' or '.join(KINDS[kind] for kind in kinds if kind in KINDS)}"
    elif spec is LEVELS:
        plus = {f"+{key}": each for key, each in CONFIG.items()}
        folders = [key for key in value if isinstance(value[key], (dict, NoneType)) and not str(key).startswith("+")]
        yield from _wrong_keys(value, {**CONFIG, **plus, **dict.fromkeys(folders, LEVELS)}, path, line, where)
    elif isinstance(spec, list):
        yield from _wrong_entries(value if spec else (), spec, path, line, where)
    elif isinstance(spec, dict) and spec:
        yield from _wrong_keys(value, spec, path, line, where)


def _wrong_entries(value: Any, spec: Any, path: str, line: int, where: str) -> Iterator[str]:
    for number, item in enumerate(value):
        item_line = value.lines[number] if isinstance(value, Items) else line
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield from wrong(item, spec[0], path, item_line, item["name"])
        else:
            yield f"{path}:{item_line}: an entry of {where} has no name: {item!r}"


def _wrong_keys(value: Any, spec: Any, path: str, line: int, where: str) -> Iterator[str]:
    for key in value:
        if key in spec:
            yield from wrong(value[key], spec[key], path, line_of(value, key, line), f"{where}: {key}")
        else:
            close = get_close_matches(str(key), spec, 1, 0.8)
            remedy = REMEDIES.get(str(key).removeprefix("+")) or (
                f"did you mean {close[0]}?" if close else f"remove it, or {FOR_DBT}"
            )
            yield f"{path}:{line_of(value, key, line)}: {where}: the key {key!r} cannot be used: {remedy}"
