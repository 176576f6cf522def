"""Descriptions of the settings, from the settings object itself."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from crm_assets.masking import MASK
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.names import is_about_deployment, setting_name, toml_name
from crm_assets.settings.secrets import path, url

SETTINGS = tuple(sorted(CrmSettings.model_fields, key=is_about_deployment))
"""All settings in the order in which they are shown: those about the CRM first."""


def description(name: str) -> str:
    """What a setting is for."""
    return str(_property(name)["description"])


def allowed(name: str) -> str:
    """Which values a setting can have."""
    schema = _property(name)
    if "allowed" in schema:
        return str(schema["allowed"])
    first, *_ = schema.get("anyOf", [schema])
    values = first.get("enum") or ["true", "false"] * (first["type"] == "boolean")
    if values:
        *others, last = (f"`{value}`" for value in values)
        return f"{', '.join(others)} or {last}"
    lowest = f"more than {first['exclusiveMinimum']:g}" if "exclusiveMinimum" in first else f"{first['minimum']:g}"
    kind = "" if first["type"] == "integer" else ", fractions too"
    return f"{lowest} to {first['maximum']:g}{kind}" if "maximum" in first else f"{lowest} or more{kind}"


def default(name: str) -> str:
    """A setting's default; `none` without one."""
    schema = _property(name)
    shown = schema.get("shown_default") or schema.get("default")
    if shown in (None, []):
        return "none"
    return str(shown) if "shown_default" in schema else f"`{json.dumps(shown).strip(chr(34))}`"


def documented_row(name: str) -> str:
    """A setting's row in the table of docs/settings.md."""
    variable = setting_name(name)
    return f"| `{toml_name(variable)}` | `{variable}` | {default(name)} | {allowed(name)} | {description(name)} |"


def shown(value: Any) -> str:
    """A value that is not a secret, as it is shown: of URLs without user and parameters."""
    if isinstance(value, Mapping):
        return json.dumps({name: _without_secrets(of_it) for name, of_it in value.items()})
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool) or value is None:
        return json.dumps(value).replace("null", "none")
    return url(str(getattr(value, "value", value))).shown


def _without_secrets(given: Any) -> Any:
    """One resource's settings, without the values of its parameters: any of them may be a secret."""
    if not isinstance(given, Mapping):
        return MASK
    params, where = given.get("params"), given.get("path")
    return {
        **given,
        **({"params": dict.fromkeys(params, MASK) if isinstance(params, Mapping) else MASK} if params else {}),
        **({"path": path(str(where))} if where else {}),
    }


@cache
def _schema() -> dict[str, Any]:
    return CrmSettings.model_json_schema()


def _property(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = _schema()["properties"][name]
    if "$ref" in schema:
        return {**_schema()["$defs"][schema["$ref"].rpartition("/")[2]], **schema}
    return schema
