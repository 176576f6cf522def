"""Names of settings: the environment variable, and the name in TOML files."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from crm_assets.settings.deployment import DeploymentSettings

SOURCES, SECTION = "sources", "crm"
"""The table in TOML files with the settings about the CRM: `sources.crm`, as for any dlt source. A CRM with a name has
a section with its name, and its defaults in this one."""

DEPLOYMENT_PREFIX = "CRM_"
"""The prefix of the variables about this machine."""

SECTION_IN_USE = ContextVar("section_in_use", default=SECTION)
"""The section of the CRM that is used now, so that messages name its settings."""

PLAIN_KEY = "API_KEY"
"""A second name of the key, with lower precedence."""

RENAMED: Mapping[str, str] = MappingProxyType({"CRM_LAKE": "CRM_WAREHOUSE", "CRM_LAKE_FILES": "CRM_WAREHOUSE_FILES"})
"""A setting's old name -> its new name."""


def is_about_deployment(name: str) -> bool:
    """Whether a setting is about this machine, not about the CRM."""
    return name in DeploymentSettings.model_fields


@contextmanager
def section_in_use(section: str) -> Iterator[None]:
    """Makes messages about settings name those of one CRM while the body runs, in its thread."""
    token = SECTION_IN_USE.set(section)
    try:
        yield
    finally:
        SECTION_IN_USE.reset(token)


def section_prefix(section: str) -> str:
    """The prefix of the variables about a CRM."""
    return f"{SOURCES}__{section}__".upper()


def setting_name(name: str, section: str = "") -> str:
    """The environment variable of a setting, for messages. `section`: if not that of the CRM that is used now."""
    section = section or SECTION_IN_USE.get()
    return f"{DEPLOYMENT_PREFIX if is_about_deployment(name) else section_prefix(section)}{name.upper()}"


def toml_name(variable: str) -> str:
    """The name of a variable in TOML files, where dlt has tables instead of `__`."""
    return variable.lower().replace("__", ".")


def full_name(name: str, section: str = "") -> str:
    """Both names of a setting, for messages: `sources.crm.per_page (SOURCES__CRM__PER_PAGE)`."""
    variable = setting_name(name, section)
    return f"{toml_name(variable)} ({variable})"
