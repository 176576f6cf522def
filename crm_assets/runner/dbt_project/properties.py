"""dbt's properties files, from what the models' own say."""

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import yaml

from crm_assets.api import ENDPOINTS
from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.dbt_project.templating import Expressions, in_timezone
from crm_assets.runner.model import Model
from crm_assets.source.schemas import resource_schema

Properties = Mapping[str, Any]


class _Dumper(yaml.SafeDumper):
    """Writes mappings and lists that know their lines as any others, and texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_multi_representer(dict, _Dumper.represent_dict)
_Dumper.add_multi_representer(list, _Dumper.represent_list)
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def as_yaml(document: Properties) -> str:
    """A document as YAML, its keys in their order."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def sources_properties(tables: Iterable[str]) -> Properties:
    """The raw tables as dbt's sources; of the resources also what their columns hold."""
    described = [
        {
            "name": table,
            "description": resource_schema(table).description,
            "columns": [
                {"name": name, "description": column.description}
                for name, column in resource_schema(table).columns.items()
            ],
        }
        if table in ENDPOINTS
        else {"name": table}
        for table in tables
    ]
    return {"sources": [{"name": "raw", "tables": described}]}


def model_properties(model: Model, known: Expressions) -> Properties:
    """A model's entry."""
    entry: dict[str, Any] = {"name": model.name, "description": model.description}
    if relation := model.properties.get("relation"):
        entry["relation"] = known[relation.lower()]
    if config := _config(model):
        entry["config"] = config
    tests = [test for test in model.data_tests if test.kind != "singular"]
    if of_model := [_test(test, known) for test in tests if test.column is None]:
        entry["data_tests"] = of_model
    names = dict.fromkeys([*model.columns, *(test.column for test in tests if test.column)])
    if columns := [_column(name, model, tests, known) for name in names]:
        entry["columns"] = columns
    return entry


def _config(model: Model) -> Properties:
    config = dict(model.config)
    if meta := {**(model.properties.get("meta") or {}), **(config.pop("meta", None) or {})}:
        config["meta"] = meta
    if model.materialized == "incremental":
        config["on_schema_change"] = "append_new_columns"
    if model.materialized == "seed":
        # dbt finds other types than DuckDB's reader does, where none is declared.
        columns = duckdb.execute(f"describe {model.select}").fetchall()
        config["column_types"] = {name: type_.lower() for name, type_, *_ in columns}
    return config


def _column(name: str, model: Model, tests: Iterable[DataTest], known: Expressions) -> Properties:
    column: dict[str, Any] = {"name": name}
    if description := model.columns.get(name):
        column["description"] = description
    if own := [_test(test, known) for test in tests if test.column == name]:
        column["data_tests"] = own
    return column


def _test(test: DataTest, known: Expressions) -> Any:
    body: dict[str, Any] = {}
    if test.given_name:
        body["name"] = test.given_name
    if test.told:
        body["description"] = test.told
    if test.arguments:
        body["arguments"] = {key: _argument(key, value, known) for key, value in test.arguments.items()}
    if not test.blocks:
        body["config"] = {"severity": test.severity}
    kind = test.kind.removeprefix("dbt_utils.")
    return {kind: body} if body else kind


def _argument(key: str, value: Any, known: Expressions) -> Any:
    if key == "to":
        return known[value.lower()]
    return in_timezone(value) if isinstance(value, str) else value
