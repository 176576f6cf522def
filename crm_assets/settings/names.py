"""A CRM, whose name is in the names of its assets, jobs and settings, and the names of settings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from crm_assets.errors import SettingsError
from crm_assets.settings.deployment import DeploymentSettings

SOURCES, SECTION = "sources", "crm"
"""The table in TOML files with the settings about the CRM: `sources.crm`, as for any dlt source. A CRM with a name has
a section with its name, and its defaults in this one."""

DEPLOYMENT_PREFIX = "crm_"
"""The prefix of the settings about this machine."""

SECTION_IN_USE = ContextVar("section_in_use", default=SECTION)
"""The section of the CRM that is used now, so that messages name its settings."""

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 30

RESERVED = frozenset(
    (
        *("raw", "present", "seeds", "staging", "intermediate", "snapshots", "marts", "reports", "published", "lake"),
        *("sandbox", "crm", "sources", "main", "memory", "temp", "system", "information_schema", "pg_catalog"),
    )
)
"""Names that a CRM cannot have: those of schemas, asset groups, databases and other sections of settings."""


@dataclass(frozen=True)
class Crm:
    """One CRM.

    Attributes:
        name: Its name; empty for the first, whose assets, jobs and settings have none.
    """

    name: str = ""

    def __post_init__(self) -> None:
        """Checks the name.

        Raises:
            SettingsError: It is not allowed.
        """
        if self.name and (not NAME.fullmatch(self.name) or len(self.name) > LONGEST_NAME):
            raise SettingsError(
                f"{self.name!r} cannot be the name of a CRM. Give it at most {LONGEST_NAME} lower-case letters, digits "
                "and single underscores, a letter first"
            )
        if self.name in RESERVED or self.name.startswith(DEPLOYMENT_PREFIX):
            raise SettingsError(
                f"{self.name!r} cannot be the name of a CRM, as other things have it. Choose another; the first CRM "
                "has no name"
            )

    @property
    def section(self) -> str:
        """The section of its settings: `sources.<section>`."""
        return self.name or SECTION

    def path(self, address: str) -> list[str]:
        """The path of an asset's key: `raw`, `accounts` for `raw.accounts`, below the name of the CRM."""
        return [*([self.name] if self.name else []), *address.split(".")]

    def named(self, name: str) -> str:
        """The name of its job, schedule, sensor or asset group, such as `north_publish`."""
        return f"{self.name}_{name}" if self.name else name

    def command(self, words: str) -> str:
        """A command about it, for messages: `crm-assets confirm contacts --crm north`."""
        return f"crm-assets {words}{f' --crm {self.name}' if self.name else ''}"


DEFAULT_CRM = Crm()
"""The first CRM, without a name."""

DEFS = Path(__file__).parents[1] / "defs"
OF_A_CRM = re.compile(r"^type:\s*crm_assets\.components\.CrmComponent\b", re.MULTILINE)
NAME_OF_A_CRM = re.compile(r"^\s+name:\s*['\"]?(\w+)", re.MULTILINE)


def crm_files() -> Iterator[tuple[bool, Path, list[str]]]:
    """The files in `defs/` that make CRMs: whether Dagster reads a file of that name, its path, names of its CRMs."""
    for path in sorted(DEFS.rglob("*.y*ml")):
        if path.is_file() and OF_A_CRM.search(text := path.read_text("utf-8", "replace")):
            yield path.stem in {"defs", "component"}, path, NAME_OF_A_CRM.findall(text)


@contextmanager
def section_in_use(section: str) -> Iterator[None]:
    """Makes messages about settings name those of one CRM while the body runs, in its thread."""
    token = SECTION_IN_USE.set(section)
    try:
        yield
    finally:
        SECTION_IN_USE.reset(token)


def setting_name(name: str, section: str = "") -> str:
    """The environment variable of a setting, for messages. `section`: if not that of the CRM that is used now."""
    about_crm = f"{SOURCES}__{section or SECTION_IN_USE.get()}__"
    return f"{DEPLOYMENT_PREFIX if name in DeploymentSettings.model_fields else about_crm}{name}".upper()


def named_now(name: str) -> str:
    """The name of a job or schedule of the CRM that is used now, for messages."""
    section = SECTION_IN_USE.get()
    return Crm("" if section == SECTION else section).named(name)


def toml_name(variable: str) -> str:
    """The name of a variable in TOML files, where dlt has tables instead of `__`."""
    return variable.lower().replace("__", ".")


def both_names(variable: str) -> str:
    """Both names of a setting, for messages: `sources.crm.per_page (SOURCES__CRM__PER_PAGE)`."""
    return f"{toml_name(variable)} ({variable})"
