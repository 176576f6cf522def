"""Loads the models and validates them, to report errors early and clearly."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from crm_assets.api import ENDPOINTS
from crm_assets.errors import ModelsRefused, NotSelect
from crm_assets.runner.builds import AUDIT
from crm_assets.runner.data_tests import DataTest, declared_tests, singular_test
from crm_assets.runner.model import BOOKKEEPING, Model
from crm_assets.runner.project import DBT_DIR, Project
from crm_assets.warehouse.tables import PRESENT, RAW
from crm_assets.yaml_files import line_of

RAW_TABLES = frozenset(f"{schema}.{resource}" for schema in (RAW, PRESENT) for resource in ENDPOINTS) | BOOKKEEPING

RESERVED = frozenset({RAW, PRESENT, AUDIT})
"""Schemas whose tables reads and tests make: what is loaded, redacted or dropped in them is not a model's."""

NEEDED: Mapping[str, Sequence[str]] = {
    "snapshot": ("unique_key", "strategy"),
    "check": ("check_cols",),
    "timestamp": ("updated_at",),
    "merge": ("unique_key",),
}
"""Materialization or strategy -> what its configuration has to have."""


def load_models(folder: Path = DBT_DIR) -> list[Model]:
    """The validated models, seeds and snapshots of a dbt project, each after those that it reads.

    Raises:
        ModelsRefused: Some are wrong. The message lists all errors.
    """
    project = Project(folder)
    known: dict[str, Model] = {}
    singular: dict[str, list[DataTest]] = {}
    enabled = [node for node in project.nodes.values() if node.config.get("enabled") is not False]
    tests = [node for node in enabled if node.resource_type == "data_tests"]
    for node in enabled:
        if node not in tests:
            known[node.stem] = Model(**vars(node), known=known, singular_tests=singular)
    _refuse(problem for model in known.values() for problem in [*_in_config(model)] or _errors(model, "reads"))
    # What follows needs valid SQL.
    models: dict[str, Model] = {}
    for model in known.values():
        if model.materialized != "ephemeral" and (other := models.setdefault(model.address, model)) is not model:
            _refuse([f"{model.path}:1: {model.address} is the table of {other.path}: change a name, alias or schema"])
    sources = RAW_TABLES | {relation.address for relation in project.sources.values()} | models.keys()
    _refuse(problem for model in models.values() for problem in _in_reads(model, sources))
    models = _ordered(models, lambda model: model.depends_on)
    for test in map(singular_test, tests):
        singular.setdefault(_owner(test, models), []).append(test)
    _refuse(problem for model in models.values() for problem in _errors(model, "data_tests"))
    return list(_ordered(models, lambda model: model.depends_on | model.compared_with).values())


def _refuse(problems: Iterable[str]) -> None:
    if lines := dict.fromkeys(problems):  # several models may call one wrong macro
        raise ModelsRefused("\n".join(["These models cannot be built:", *lines]))


def _in_config(model: Model) -> Iterator[str]:
    levels = (model.properties.get("config") or {}, model.properties)
    for key, problem in _problems(model, model.config):
        line = next((line_of(level, key) for level in levels if key in level), line_of(model.properties))
        yield f"{model.properties_path}:{line}: {model.stem}: {problem}"


def _problems(model: Model, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys of the configuration with what is wrong."""
    for what in (model.materialized, config.get("strategy"), config.get("incremental_strategy")):
        for key in NEEDED.get(str(what), ()):
            if not config.get(key):
                yield "config", f"{what} needs {key}: add it to config"
    if model.contract is not None and not (model.contract and all(model.contract.values())):
        yield "config", "an enforced contract is about columns: list them, each with its data_type"
    if "." in model.schema or model.schema.lower() in RESERVED:
        without = ", ".join(sorted(RESERVED))
        yield "schema", f"the schema is {model.schema!r}: write one without dots that is none of {without}"
    if model.materialized == "ephemeral" and [*declared_tests(model)]:
        yield "data_tests", "tests of ephemeral models are not run: write them for models that read it"


def _errors(model: Model, attribute: str) -> Iterator[str]:
    try:
        getattr(model, attribute)
    except NotSelect as error:
        yield f"{model.path}:{model.line_of(model.sql, error.line)}: {error}"
    except ModelsRefused as error:
        yield str(error)


def _in_reads(model: Model, known: frozenset[str]) -> Iterator[str]:
    for address in sorted(model.reads - known):
        lines = enumerate(model.text.lower().splitlines(), 1)
        line = next((number for number, line in lines if address in line), 1)
        yield f"{model.path}:{line}: the model reads {address}, which is neither a source nor a model: correct the name"


def _ordered(models: Mapping[str, Model], waits_for: Callable[[Model], frozenset[str]]) -> dict[str, Model]:
    """The models, each after those that it waits for."""
    try:
        order = [*TopologicalSorter({address: sorted(waits_for(m)) for address, m in models.items()}).static_order()]
    except CycleError as error:
        path = error.args[1][::-1]  # graphlib lists it in reverse
        raise ModelsRefused(
            f"{models[path[0]].path}: the model depends on itself: {' reads '.join(path)}. Remove one of these "
            "references, or give the test of relationships among them severity warn"
        ) from None
    return {address: models[address] for address in order if address in models}


def _owner(test: DataTest, models: Mapping[str, Model]) -> str:
    """The address of the model that a singular test belongs to: the last of those that it reads."""
    first, *_ = models.values()
    try:
        reads = first.read_by(test)
    except NotSelect as error:
        raise ModelsRefused(f"{test.path}:1: {error}") from None
    *_, owner = ("", *(address for address in models if address in reads))
    if not owner:
        raise ModelsRefused(f"{test.path}:1: the test reads no model: write a SELECT from ref('…')")
    return owner
