"""The files of a dbt project that makes the same tables from the same raw tables."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path

from crm_assets.api import ENDPOINTS
from crm_assets.errors import ModelsRefused
from crm_assets.loading.sync_log import SINCE
from crm_assets.runner.dbt_project.properties import as_yaml, model_properties, sources_properties
from crm_assets.runner.dbt_project.templating import Expressions, expressions, templated
from crm_assets.runner.folders import FOLDERS
from crm_assets.runner.model import BOOKKEEPING, Model
from crm_assets.warehouse.schemas import PRESENT, RAW

TEMPLATE = Path(__file__).parent / "template"
"""Files that are the same in every project: macros, tests of dbt_utils' kinds, and what to know first."""

NAME = "crm"

Files = Mapping[str, str]
"""Path within the project -> text."""


def project_files(models: Collection[Model], database: str, timezone: str) -> Files:
    """The whole project.

    Args:
        models: All of them.
        database: The DuckDB file with the raw tables, where dbt is to make the others.
        timezone: The reporting time zone.

    Raises:
        ModelsRefused: Two models of one name, which dbt does not allow.
    """
    for name, count in Counter(model.name for model in models).items():
        if count > 1:
            paths = " and ".join(str(model.path) for model in models if model.name == name)
            raise ModelsRefused(f"{paths}: dbt needs a unique name for each model, in all folders: rename one")
    sources = [*ENDPOINTS, *(table.partition(".")[2] for table in sorted(BOOKKEEPING) if table.startswith(f"{RAW}."))]
    known = expressions(models, sources)
    return {
        **{str(path.relative_to(TEMPLATE)): path.read_text(encoding="utf-8") for path in _template_files()},
        "dbt_project.yml": as_yaml(_project(timezone)),
        "profiles.yml": as_yaml(_profile(database)),
        f"models/{RAW}.yml": as_yaml(sources_properties(sources)),
        **_present(known),
        **{path: text for model in models for path, text in _model(model, known).items()},
        **{path: text for folder in FOLDERS for path, text in _folder(folder, models, known).items()},
    }


def _template_files() -> list[Path]:
    return sorted(path for path in TEMPLATE.rglob("*") if path.is_file())


def _project(timezone: str) -> Mapping[str, object]:
    documented = {"+persist_docs": {"relation": True, "columns": True}}
    settings: dict[str, dict[str, object]] = {"models": dict(documented), "seeds": {"+quote_columns": True}}
    settings["models"][PRESENT] = {"+schema": PRESENT, "+materialized": "view", "+persist_docs": {}}
    for name, folder in FOLDERS.items():
        config = {"+schema": name, "+materialized": folder.materializations[0]}
        if folder.key == "models":
            settings["models"][name] = config
        else:
            settings[folder.key] = {**settings.get(folder.key, {}), **documented, "+schema": name}
    return {
        "name": NAME,
        "version": "1.0.0",
        "profile": NAME,
        "require-dbt-version": ">=1.11.0",
        "flags": {"require_generic_test_arguments_property": True, "send_anonymous_usage_stats": False},
        "vars": {"reporting_timezone": timezone},
        **{key: {NAME: config} for key, config in settings.items()},
    }


def _profile(database: str) -> Mapping[str, object]:
    output = {"type": "duckdb", "path": database, "schema": "main", "threads": 1, "settings": {"TimeZone": "UTC"}}
    return {NAME: {"target": "dev", "outputs": {"dev": output}}}


def _present(known: Expressions) -> Files:
    views = {
        resource: f"{{{{ config(alias='{resource}') }}}}\n\n{{{{ present_rows('{resource}') }}}}\n"
        for resource in ENDPOINTS
    }
    views["since"] = f"{{{{ config(alias='since') }}}}\n\n{templated(SINCE, known).strip()}\n"
    return {f"models/{PRESENT}/{PRESENT}_{table}.sql": text for table, text in views.items()}


def _model(model: Model, known: Expressions) -> Files:
    files = {}
    folder = _path(model.folder)
    if model.path.suffix == ".csv":
        files[f"{folder}/{model.path.name}"] = model.path.read_text(encoding="utf-8")
    elif model.path.suffix == ".sql":
        select = templated(model.select, known)
        if model.materialized == "snapshot":
            select = f"{{% snapshot {model.name} %}}\n\n{select}\n\n{{% endsnapshot %}}"
        files[f"{folder}/{model.path.name}"] = f"{select}\n"
    for test in model.singular_tests:
        config = "" if test.blocks else f"{{{{ config(severity='{test.severity}') }}}}\n\n"
        files[f"tests/{test.name}.sql"] = f"{config}{templated(test.arguments['sql'], known)}\n"
    return files


def _folder(folder: str, models: Collection[Model], known: Expressions) -> Files:
    entries = [model_properties(model, known) for model in models if model.folder == folder]
    return {f"{_path(folder)}/{folder}.yml": as_yaml({FOLDERS[folder].key: entries})} if entries else {}


def _path(folder: str) -> str:
    key = FOLDERS[folder].key
    return f"models/{folder}" if key == "models" else key
