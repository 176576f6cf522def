"""Whether records tell whose they are: which accounts and owners they belong to, and what would make the API tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crm_assets.source.api import INCLUDE, LINKS, Link


@dataclass(frozen=True)
class Linked:
    """How many of some records are linked.

    Attributes:
        records: How many were looked at.
        linked: How many of them name the account or the owner that they belong to.
        include: The `include` that would have them named, if one is known and not asked for yet.
    """

    records: int
    linked: int
    include: str | None


def count_links(resource: str, records: Sequence[Any], params: Mapping[str, Any]) -> dict[str, Linked]:
    """What is linked to (`accounts`, `owners`) -> how many of the records are. `params`: the list's own parameters."""
    asked = includes(params)
    return {
        link.to: Linked(
            records=len(records),
            linked=sum(_has(record, link) for record in records),
            include=link.include if link.include not in asked else None,
        )
        for link in LINKS[resource]
    }


def includes(params: Mapping[str, Any]) -> list[str]:
    """What the list's parameters ask to be sent along."""
    return [name.strip() for name in str(params.get(INCLUDE, "")).split(",") if name.strip()]


def _has(record: Any, link: Link) -> bool:
    return isinstance(record, dict) and any(record.get(name) not in (None, "", [], {}) for name in link.fields)
