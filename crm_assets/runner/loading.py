"""Loads the models and validates them, to report errors early and clearly."""

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from sqlglot import exp
from sqlglot.errors import ParseError, SqlglotError

from crm_assets.api import ENDPOINTS
from crm_assets.errors import ModelsRefused
from crm_assets.runner.dbt_features import jinja
from crm_assets.runner.files import MODELS_DIR, read_models
from crm_assets.runner.model import BOOKKEEPING, Model
from crm_assets.runner.properties import in_properties
from crm_assets.warehouse.schemas import PRESENT, RAW

RAW_TABLES = frozenset(f"{schema}.{resource}" for schema in (RAW, PRESENT) for resource in ENDPOINTS) | BOOKKEEPING


def load_models(models_dir: Path = MODELS_DIR) -> list[Model]:
    """The validated models below `models_dir`.

    Raises:
        ModelsRefused: Some models are wrong. The message lists all errors.
    """
    models = read_models(models_dir)
    problems = [problem for model in models for problem in (*_in_sql(model), *in_properties(model))]
    if not problems:  # the following checks need valid SQL and tests
        known = {model.address: model for model in models}
        problems = [problem for model in models for problem in _in_references(model, known)]
        problems += _in_order(models)
    if problems:
        raise ModelsRefused("\n".join(["These models cannot be built:", *problems]))
    return models


def _in_sql(model: Model) -> Iterator[str]:
    if template := jinja(model.sql):
        yield f"{model.path}:{template[0]}: {template[1]}"
        return
    try:
        statements = model.statements
    except ParseError as error:
        first = error.errors[0]
        reason = f"{first['description']} near {first['highlight']!r}"
        yield f"{model.path}:{first['line']}: this is not valid DuckDB SQL: {reason}"
        return
    except SqlglotError as error:
        yield f"{model.path}: this is not valid DuckDB SQL: {error}"
        return
    if len(statements) != 1:
        yield f"{model.path}:1: the file has {len(statements)} statements: write one SELECT per file"
    elif not isinstance(statements[0], exp.Query):
        yield f"{model.path}:1: the statement is {statements[0].key.upper()}, not SELECT: write only the SELECT"


def _in_references(model: Model, known: Mapping[str, Model]) -> Iterator[str]:
    for address in sorted(model.reads - RAW_TABLES - set(known)):
        yield (
            f"{model.path}:{_line_with(model, address)}: the model reads {address}, which is neither a raw table nor a "
            "model: correct the name, or write it as schema.table"
        )
    for test in model.data_tests:
        entry = f"{model.properties_path}:{test.line}: {model.name}: test {test.name}"
        for address in sorted(test.reads - RAW_TABLES - set(known)):
            yield f"{entry}: {address} is neither a raw table nor a model: correct the address"
        for column in test.columns:
            # A model that keeps rows has implied tests, documented or not.
            if column not in model.columns and (model.columns or not model.keeps_rows):
                yield f"{entry}: column {column} is not documented: list it under columns"


def _line_with(model: Model, address: str) -> int:
    """The line of the file that names a table; 1 if its name is split."""
    lines = enumerate(model.sql.lower().splitlines(), 1)
    return next((number for number, line in lines if address in line), 1)


def _in_order(models: Iterable[Model]) -> Iterator[str]:
    paths = {model.address: model.path for model in models}
    # A blocking test needs the table that it compares with.
    waits_for = {
        model.address: {
            *model.depends_on,
            *(address for test in model.cross_tests if test.blocks for address in test.reads),
        }
        for model in models
    }
    try:
        TopologicalSorter(waits_for).prepare()
    except CycleError as error:
        path = error.args[1][::-1]  # graphlib lists it in reverse
        yield (
            f"{paths[path[0]]}: the model depends on itself: {' reads '.join(path)}. Remove one of these references, "
            "or give the test of relationships among them severity warn"
        )
