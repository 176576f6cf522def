"""How settings are called: the variable, and the same name in TOML files."""

from collections.abc import Mapping
from types import MappingProxyType

from crm_assets.settings.surroundings import Surroundings

SECTION = ("sources", "crm")
"""The table of TOML files for everything about the CRM, as dlt has it for a source."""

SECTION_PREFIX, SURROUNDINGS_PREFIX = "SOURCES__CRM__", "CRM_"
"""What the variables of the section, and those of the surroundings, begin with."""

PLAIN_KEY = "API_KEY"
"""A second, weaker name for the key."""

RENAMED: Mapping[str, str] = MappingProxyType({"CRM_LAKE": "CRM_WAREHOUSE", "CRM_LAKE_FILES": "CRM_WAREHOUSE_FILES"})
"""What a setting was called -> what it is called now."""


def is_about_surroundings(name: str) -> bool:
    """Whether a setting is about this machine, and not about the CRM."""
    return name in Surroundings.model_fields


def setting_name(name: str) -> str:
    """How a user sets `name`, for messages: the environment variable."""
    return f"{SURROUNDINGS_PREFIX if is_about_surroundings(name) else SECTION_PREFIX}{name.upper()}"


def toml_name(variable: str) -> str:
    """The name of a variable in TOML files: dlt's rule, by which `__` stands between tables."""
    return variable.lower().replace("__", ".")


def full_name(name: str) -> str:
    """Both names of a setting, for messages: `sources.crm.per_page (SOURCES__CRM__PER_PAGE)`."""
    variable = setting_name(name)
    return f"{toml_name(variable)} ({variable})"
