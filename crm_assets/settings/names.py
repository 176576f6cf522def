"""Names of settings: the environment variable, and the name in TOML files."""

from collections.abc import Mapping
from types import MappingProxyType

from crm_assets.settings.surroundings import Surroundings

SECTION = ("sources", "crm")
"""The table in TOML files with the settings about the CRM, as for any dlt source."""

SECTION_PREFIX, SURROUNDINGS_PREFIX = "SOURCES__CRM__", "CRM_"
"""The prefixes of the variables about the CRM and about this machine."""

PLAIN_KEY = "API_KEY"
"""A second name of the key, with lower precedence."""

RENAMED: Mapping[str, str] = MappingProxyType({"CRM_LAKE": "CRM_WAREHOUSE", "CRM_LAKE_FILES": "CRM_WAREHOUSE_FILES"})
"""A setting's old name -> its new name."""


def is_about_surroundings(name: str) -> bool:
    """Whether a setting is about this machine, not about the CRM."""
    return name in Surroundings.model_fields


def setting_name(name: str) -> str:
    """The environment variable of a setting, for messages."""
    return f"{SURROUNDINGS_PREFIX if is_about_surroundings(name) else SECTION_PREFIX}{name.upper()}"


def toml_name(variable: str) -> str:
    """The name of a variable in TOML files, where dlt has tables instead of `__`."""
    return variable.lower().replace("__", ".")


def full_name(name: str) -> str:
    """Both names of a setting, for messages: `sources.crm.per_page (SOURCES__CRM__PER_PAGE)`."""
    variable = setting_name(name)
    return f"{toml_name(variable)} ({variable})"
