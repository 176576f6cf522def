"""The CRMs of a deployment: the only one, or those in `crms.toml`, each with a name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crm_assets.settings.documents import Document, crm_list, documents
from crm_assets.settings.endpoints import start_minute
from crm_assets.settings.names import SECTION, SECTION_PREFIX

CRM_STEP = 5
"""Minutes between the schedules of one CRM and the next: no two of twelve CRMs with five resources start together."""

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 30

LAYERS = ("raw", "present", "seeds", "staging", "snapshots", "marts")
"""The database schemas of a CRM."""

TAKEN = frozenset({*LAYERS, "reports", "published", "lake", "crm", "sources", "main", "temp", "system"})
"""Names of schemas, asset groups and tables of settings, which a CRM cannot have."""

OF_NO_CRM = re.compile(rf"(?<![\w.])({SECTION_PREFIX}|{re.escape('.'.join(SECTION))}\.)")
"""The start of a setting's name without the name of a CRM."""


@dataclass(frozen=True)
class Crm:
    """One CRM of a deployment.

    Attributes:
        name: Prefixes the names of everything that belongs to it; empty for the only CRM of a deployment.
        minute: The minutes by which its schedules start later than those of an only CRM.
    """

    name: str = ""
    minute: int = 0

    def path(self, address: str) -> list[str]:
        """The path of an asset's key: `raw`, `accounts` for `raw.accounts`, below the name of the CRM."""
        return [*([self.name] if self.name else []), *address.split(".")]

    def named(self, name: str) -> str:
        """The name of this CRM's schema, table, job, schedule or sensor, such as `north_raw.accounts`."""
        return f"{self.name}_{name}" if self.name else name

    def told(self, message: str) -> str:
        """A message, with the names of this CRM's settings, such as `NORTH__SOURCES__CRM__API_KEY`."""

        def own(match: re.Match[str]) -> str:
            return f"{self.name.upper()}__{match[1]}" if match[1] == SECTION_PREFIX else f"{self.name}.{match[1]}"

        return OF_NO_CRM.sub(own, message) if self.name else message


ONLY = Crm()
"""The only CRM of a deployment."""


def configured_crms() -> list[Crm]:
    """The CRMs in `crms.toml`; without this file, the only one, without a name.

    CRMs whose entry is wrong are left out: `wrong_crms` has the messages. The code location loads in any case.
    """
    document = crm_list()
    if document is None:
        return [ONLY]
    return [
        Crm(name, start_minute(position, CRM_STEP))
        for position, (name, table) in enumerate(document.tree.items())
        if not _problem(name, table)
    ]


def wrong_crms() -> list[str]:
    """Messages about what is wrong in `crms.toml`, except single settings."""
    document = crm_list()
    return [] if document is None else [*_problems(document)]


def _problems(document: Document) -> Iterator[str]:
    if document.problem:
        yield document.problem
    elif not document.tree:
        yield (
            f"{document.place}: lists no CRM. Add a table for each, such as [north], or remove the file to read one CRM"
        )
    for name, table in document.tree.items():
        if problem := _problem(name, table):
            yield f"{document.place}: {problem}. This CRM is left out"
    for other in documents():
        for name, tables in other.tree.items():
            section = tables.get(SECTION[0]) if isinstance(tables, Mapping) else None
            if isinstance(section, Mapping) and SECTION[1] in section and name not in document.tree:
                yield (
                    f"{other.place} has settings of the CRM {name!r}, which {document.place} does not list. Correct "
                    "the name"
                )


def _problem(name: str, table: Any) -> str:
    if not isinstance(table, Mapping):
        return f"{name} stands outside of the tables of the CRMs. Write it below [NAME], or into .dlt/config.toml"
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        return (
            f"{name!r} cannot be the name of a CRM. Give it at most {LONGEST_NAME} lower-case letters, digits and "
            "single underscores, a letter first"
        )
    if name in TAKEN or name.startswith("crm_"):
        return f"{name!r} cannot be the name of a CRM, since other things have it. Give it another one"
    return ""
