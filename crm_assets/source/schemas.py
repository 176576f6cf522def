"""The declared columns of each resource, from `schemas/<resource>.yaml`.

They become dlt column hints, so that an all-null column exists and an empty list still has a typed table, and Dagster
column metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from dlt.common.schema.typing import TColumnSchema

from crm_assets.source.api import ENDPOINTS

SCHEMAS_DIR = Path(__file__).resolve().parent / "schemas"
PERSONAL_HINT = "x-personal-data"
HINTED = ("name", "data_type", "nullable", "description")
"""The attributes of a column that dlt's hints have under the same name."""

FAST_SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, in C if it was built with libyaml, which makes every start faster."""


@dataclass(frozen=True)
class Column:
    """One declared column; `data_type` is dlt's (text, bigint, decimal, timestamp, date, bool, json).

    `fields` are the declared fields within the objects of a json column. Unless `personal_data` is keep, all others
    are dropped.
    """

    name: str
    data_type: str
    description: str
    nullable: bool = True
    personal: bool = False
    fields: tuple[str, ...] = ()

    def hint(self) -> TColumnSchema:
        """The column as a dlt hint."""
        hint = {key: getattr(self, key) for key in HINTED}
        if self.personal:
            hint[PERSONAL_HINT] = True
        return hint  # type: ignore[return-value]  # dlt allows x- hints, its TypedDict does not


@dataclass(frozen=True)
class ResourceSchema:
    """The declared shape of one resource.

    Attributes:
        description: What a row is, for the asset's description.
        columns: Column name -> column, in the order in which they are shown.
        never_stored: Field name -> why it is dropped from every record before anything is written.
    """

    description: str
    columns: Mapping[str, Column]
    never_stored: Mapping[str, str]


@cache
def resource_schema(resource: str) -> ResourceSchema:
    """Reads the package's schema of `resource`."""
    declared = _declared(resource)
    return ResourceSchema(
        description=declared["description"].strip(),
        columns={
            name: Column(name=name, **column | {"fields": tuple(column.get("fields", ()))})
            for name, column in declared["columns"].items()
        },
        never_stored=declared.get("never_stored", {}),
    )


@cache
def side_loaded_columns(array: str) -> Mapping[str, Column]:
    """The declared fields of a side-loaded array's records; none for an undeclared array."""
    for resource, endpoint in ENDPOINTS.items():
        if endpoint.data_selector == array:
            return resource_schema(resource).columns
    declared = _declared("side_loaded").get(array, {"columns": {}})
    return {name: Column(name=name, **column) for name, column in declared["columns"].items()}


def side_loaded_arrays() -> list[str]:
    """The declared side-loaded arrays, without those that have the name of a list."""
    return list(_declared("side_loaded"))


def _declared(name: str) -> Any:
    return yaml.load((SCHEMAS_DIR / f"{name}.yaml").read_bytes(), Loader=FAST_SAFE_LOADER)  # noqa: S506
