"""The models that become assets: read, and looked through for what could only fail later and less clearly."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from crm_assets.source.api import ENDPOINTS
from crm_assets.sql_models.data_tests import DataTestError
from crm_assets.sql_models.files import MODELS_DIR, ModelsRefused, read_models
from crm_assets.sql_models.model import BOOKKEEPING, Model
from crm_assets.warehouse.present import PRESENT
from crm_assets.warehouse.raw_tables import RAW

RAW_TABLES = frozenset(f"{schema}.{resource}" for schema in (RAW, PRESENT) for resource in ENDPOINTS) | BOOKKEEPING
MATERIALIZATIONS = ("view", "table", "incremental")
MODEL_KEYS = frozenset({"name", "description", "config", "meta", "columns", "data_tests"})
CONFIG_KEYS = frozenset({"materialized", "unique_key", "meta"})
COLUMN_KEYS = frozenset({"name", "description", "data_tests"})


def load_models(models_dir: Path = MODELS_DIR) -> list[Model]:
    """The models below `models_dir`, all of which can become assets.

    Raises:
        ModelsRefused: Some cannot. Tells all of them.
    """
    models = read_models(models_dir)
    problems = [problem for model in models for problem in (*_in_sql(model), *_in_yaml(model))]
    if not problems:  # what follows needs SQL and tests that can be read
        known = {model.address: model for model in models}
        problems = [problem for model in models for problem in _in_references(model, known)]
        problems += _in_order(models)
    if problems:
        raise ModelsRefused("\n".join(["These models cannot be built:", *problems]))
    return models


def _in_sql(model: Model) -> Iterator[str]:
    try:
        statements = model.statements
    except ParseError as error:
        first = error.errors[0]
        reason = f"{first['description']} near {first['highlight']!r}"
        yield f"{model.path}:{first['line']}: this is not DuckDB's SQL: {reason}"
        return
    except SqlglotError as error:
        yield f"{model.path}: this is not DuckDB's SQL: {error}"
        return
    if len(statements) != 1:
        yield f"{model.path}: it holds {len(statements)} statements: write one SELECT in a file"
    elif not isinstance(statements[0], exp.Query):
        yield f"{model.path}: it holds no SELECT but {statements[0].key.upper()}: write the SELECT alone"


def _in_yaml(model: Model) -> Iterator[str]:
    entry = f"{model.properties_path}: {model.name}"
    yield from _unknown_keys(entry, model.properties, MODEL_KEYS)
    if not isinstance(model.config, dict):
        yield f"{entry}: config is {model.config!r}: write keys and values below it, such as materialized: table"
        return
    yield from _unknown_keys(f"{entry}: config", model.config, CONFIG_KEYS)
    if model.materialized not in MATERIALIZATIONS:
        yield f"{entry}: materialized is {model.materialized!r}: use one of {', '.join(MATERIALIZATIONS)}"
    if model.materialized == "incremental" and not model.unique_key:
        yield f"{entry}: it is incremental without a unique_key: add the column that tells its rows apart to config"
    if model.owner is not None and not (str(model.owner).startswith("team:") or "@" in str(model.owner)):
        yield f"{entry}: the owner is {model.owner!r}: write team:NAME or an e-mail address"
    columns = model.properties.get("columns") or []
    if misnamed := [column for column in columns if not isinstance(column, dict) or not column.get("name")]:
        yield f"{entry}: a column has no name: {misnamed[0]!r}"
        return
    names = [column["name"] for column in columns]
    for column in columns:
        yield from _unknown_keys(f"{entry}: column {column['name']}", column, COLUMN_KEYS)
        if not str(column.get("description") or "").strip():
            yield f"{entry}: column {column['name']} has no description: say what it holds"
        if names.count(column["name"]) > 1:
            yield f"{entry}: column {column['name']} is listed twice: keep one entry"
    try:
        _ = model.data_tests
    except DataTestError as error:
        yield f"{entry}: {error}"


def _unknown_keys(where: str, mapping: Mapping[str, Any], known: Iterable[str]) -> Iterator[str]:
    # A key that is misspelt would be a test that never runs.
    for key in sorted(set(mapping) - set(known)):
        yield f"{where}: the key {key!r} is unknown: use one of {', '.join(sorted(known))}"


def _in_references(model: Model, known: Mapping[str, Model]) -> Iterator[str]:
    for address in sorted(model.reads - RAW_TABLES - set(known)):
        yield (
            f"{model.path}: it reads {address}, which is neither a raw table nor a model: correct the name, or write "
            "it as schema.table"
        )
    for test in model.data_tests:
        entry = f"{model.properties_path}: {model.name}: test {test.name}"
        if test.kind == "relationships" and test.arguments["to"] not in RAW_TABLES | set(known):
            yield f"{entry}: {test.arguments['to']} is neither a raw table nor a model: correct the address"
        for column in test.columns:
            if column not in model.columns:
                yield f"{entry}: column {column} is not documented: list it under columns"


def _in_order(models: Iterable[Model]) -> Iterator[str]:
    paths = {model.address: model.path for model in models}
    # A test that must pass before others go on waits for the table it compares with.
    waits_for = {
        model.address: {*model.depends_on, *(test.arguments["to"] for test in model.cross_tests if test.blocks)}
        for model in models
    }
    try:
        TopologicalSorter(waits_for).prepare()
    except CycleError as error:
        path = error.args[1][::-1]  # graphlib tells it against the direction of reading
        yield (
            f"{paths[path[0]]}: it waits for itself, {' reads '.join(path)}: take one of these references out, "
            "or give the test of relationships among them severity warn"
        )
