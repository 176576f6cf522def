"""A CRM: its name, which is in the names of its assets, its jobs and its settings."""

import re
from dataclasses import dataclass

from crm_assets.errors import SettingsError
from crm_assets.settings.names import SECTION

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 30

RESERVED = frozenset(
    (
        *("raw", "present", "seeds", "staging", "snapshots", "marts", "reports", "published", "lake", "sandbox"),
        *("crm", "sources", "main", "memory", "temp", "system", "information_schema", "pg_catalog"),
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
        if not self.name:
            return
        if not NAME.fullmatch(self.name) or len(self.name) > LONGEST_NAME:
            raise SettingsError(
                f"{self.name!r} cannot be the name of a CRM. Give it at most {LONGEST_NAME} lower-case letters, digits "
                "and single underscores, a letter first"
            )
        if self.name in RESERVED or self.name.startswith("crm_"):
            raise SettingsError(
                f"{self.name!r} cannot be the name of a CRM, since other things have it: choose another"
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


ONLY = Crm()
"""The first CRM, without a name."""
