"""The declared columns of each resource, from `schemas/<resource>.yaml`.

They become hints for dlt, so that files have all of them whatever a list holds, columns of raw tables, and what Dagster
shows of these.
"""

from collections.abc import Mapping
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from crm_assets.api import ENDPOINTS, ID, UPDATED_AT, check_lists
from crm_assets.errors import SchemaRefused
from crm_assets.source.typing.columns import can_be_declared, snake_case
from crm_assets.yaml_files import Items, Section, read_yaml

SCHEMAS_DIR = Path(__file__).resolve().parent / "schemas"

REQUIRED_TYPES: Mapping[str, str] = {ID: "bigint", UPDATED_AT: "timestamp"}

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Content = TypeVar("Content")


class Column(BaseModel):
    """One declared column; `data_type` is dlt's.

    `fields` are the declared fields within the objects of a json column. Unless `personal_data` is keep, all others
    are dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_type: Literal["text", "bigint", "decimal", "double", "timestamp", "date", "bool", "json"]
    description: Text
    nullable: StrictBool = True
    personal: StrictBool = False
    fields: tuple[str, ...] = ()


class ResourceSchema(BaseModel):
    """The declared shape of one resource.

    Attributes:
        description: What a row is, for the asset's description.
        columns: Column name -> column, in the order in which they are shown.
        never_stored: Field name -> why it is dropped from every record before anything is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, Column]
    description: Text
    never_stored: Annotated[dict[str, str], BeforeValidator(lambda given: {} if given is None else given)] = {}

    @property
    def has_updated_at(self) -> bool:
        """Whether records have the time of their last change. If not, every read is a full one."""
        return UPDATED_AT in self.columns

    @model_validator(mode="after")
    def _can_be_loaded(self) -> "ResourceSchema":
        if ID not in self.columns:
            raise _wrong(("columns", ID), "it is missing: add it, with data_type bigint")
        for name, data_type in REQUIRED_TYPES.items():
            if name in self.columns and self.columns[name].data_type != data_type:
                raise _wrong(("columns", name, "data_type"), f"it must be {data_type!r}")
            if name in self.columns and self.columns[name].personal:
                raise _wrong(("columns", name, "personal"), "leave it out: nothing can be read without it")
        named = [*(("columns", name) for name in self.columns), *(("never_stored", name) for name in self.never_stored)]
        for section, name in named:
            if not can_be_declared(name):
                other = snake_case(name) if can_be_declared(snake_case(name)) else "another name"
                raise _wrong((section, name), f"a column cannot have this name: use {other}")
        for name, column in self.columns.items():
            if not column.nullable and name != ID:
                raise _wrong(("columns", name, "nullable"), f"leave it out: records may lack any field but {ID}")
        for name in self.columns.keys() & self.never_stored.keys():
            raise _wrong(("never_stored", name), "it is in columns, too: keep one of them")
        return self


def _wrong(loc: tuple[str, ...], reason: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{reason}", {"reason": reason, "loc": loc})


@cache
def resource_schema(resource: str) -> ResourceSchema:
    """Reads the package's schema of `resource`.

    Raises:
        SchemaRefused: The file is missing or wrong, or the table of lists is.
    """
    check_lists(ENDPOINTS)
    return _read(resource, ResourceSchema)


@cache
def side_loaded_columns(array: str) -> Mapping[str, Column]:
    """The declared fields of a side-loaded array's records; none for an undeclared array.

    Those of an array with the name of lists are declared by these lists. A field is personal if any of them says so.
    """
    lists = [resource_schema(name).columns for name, each in ENDPOINTS.items() if each.data_selector == array]
    if not lists:
        return side_loaded().get(array, {})
    merged = dict(lists[0])
    for name, column in chain.from_iterable(columns.items() for columns in lists[1:]):
        first = merged.setdefault(name, column)
        merged[name] = first.model_copy(
            update={
                "personal": first.personal or column.personal,
                "fields": tuple(field for field in first.fields if field in column.fields),
            }
        )
    return merged


@cache
def side_loaded() -> Mapping[str, Mapping[str, Column]]:
    """The declared side-loaded arrays, without those that have the name of a list."""
    return _read("side_loaded", dict[str, dict[str, Column]])


def _read(name: str, content: type[Content]) -> Content:
    """A validated file of `SCHEMAS_DIR`."""
    path = SCHEMAS_DIR / f"{name}.yaml"
    try:
        document = read_yaml(path, SchemaRefused) or {}
        return TypeAdapter(content).validate_python(document)
    except (FileNotFoundError, IsADirectoryError):
        raise SchemaRefused(
            f"{path} is missing: create it, with a description and the columns of {name}, as "
            "docs/adding_a_resource.md shows"
        ) from None
    except ValidationError as error:
        problems = sorted(_problem(detail, document) for detail in error.errors())
        raise SchemaRefused("\n".join(f"{path}:{line}: {problem}" for line, problem in problems)) from None


def _problem(detail: Any, document: Any) -> tuple[int, str]:
    """The line of a validation error, and what is wrong."""
    loc = detail.get("ctx", {}).get("loc", detail["loc"])
    line, within = 1, document
    is_key = loc[-1:] == ("[key]",)
    for key in (*loc[:-2], detail["input"]) if is_key else loc:
        if not isinstance(within, Items) and (not isinstance(within, Section) or key not in within):
            break
        line, within = within.lines[key], within[key]
    where = ".".join(map(str, loc))
    if detail["type"] == "missing":
        return line, f"{where} is missing: add it"
    if detail["type"] == "extra_forbidden":
        allowed = ResourceSchema if len(loc) == 1 else Column
        return line, f"{where} cannot be used: use one of {', '.join(allowed.model_fields)}"
    if is_key:
        return line, f"a key of {'.'.join(map(str, loc[:-2])) or 'the file'} is not a text: quote it"
    if detail["type"] in {"model_type", "dict_type"}:
        return line, f"{where or 'the file'} has no keys: write keys and values below it"
    reason = str(detail["msg"]).replace("Input should be", "it must be")
    return line, f"{where}: {reason}" if isinstance(within, Section) else f"{where} is {within!r:.60}: {reason}"
