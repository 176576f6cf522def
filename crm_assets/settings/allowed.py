"""Which values settings can have, in words."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from crm_assets.settings.crm import CrmSettings


def allowed(name: str) -> str:
    """Which values a setting, also one of a resource, can have."""
    schema = properties()[name]
    if "allowed" in schema:
        return str(schema["allowed"])
    kind = schema["anyOf"][0] if "anyOf" in schema else schema
    if values := kind.get("enum") or ["true", "false"] * (kind["type"] == "boolean"):
        *others, last = (f"`{value}`" for value in values)
        return f"{', '.join(others)} or {last}"
    lowest = f"more than {kind['exclusiveMinimum']:g}" if "exclusiveMinimum" in kind else f"{kind['minimum']:g}"
    fractions = "" if kind["type"] == "integer" else ", fractions too"
    return f"{lowest} {'to {:g}'.format(kind['maximum']) if 'maximum' in kind else 'or more'}{fractions}"


@cache
def properties() -> Mapping[str, dict[str, Any]]:
    """Setting -> its JSON schema."""
    schema = CrmSettings.model_json_schema(ref_template="{model}")
    every = {**schema["$defs"]["EndpointSettings"]["properties"], **schema["properties"]}
    return {name: {**schema["$defs"].get(each.get("$ref"), {}), **each} for name, each in every.items()}
