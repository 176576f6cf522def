"""What an alert says: what happened, what it means, what to do, and where to look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType

from crm_assets.alerts.incidents import Incident, Recovery

LONGEST = 1500
"""Characters of one incident's text. Chat services cut off what is longer than a few thousand."""

NAMED = 3
"""Incidents that a title names."""

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "asset": (
            "Its table keeps the rows of the last good run, and what depends on it was not built. The error says what "
            "to change; then materialize it again."
        ),
        "check": "The table was written. The check's page in the UI tells which rows or fields it is about.",
        "run": (
            "Tables are as before or as after: nothing needs cleaning. Run it again; if its process was killed, look "
            "for too little memory or a restart of the machine."
        ),
        "late": "Nothing failed, but nothing ran either: see whether the daemon runs and the schedule is turned on.",
    }
)
"""First word of an incident's key -> what it means, and what to do."""


@dataclass(frozen=True)
class Message:
    """One alert, as it is sent."""

    title: str
    body: str
    is_recovery: bool


def message(new: Sequence[Incident], over: Sequence[Recovery], link: str) -> Message:
    """One message about all that has changed at once.

    Args:
        new: Incidents that nobody knows of yet; the title names them.
        over: Incidents that are over.
        link: Where to look.
    """
    parts = [f"{_shortened(incident.happened)}\n{ADVICE[_kind(incident.key)]}" for incident in new]
    parts += [f"Recovered: {recovery.key}, after {_since(recovery.since)}." for recovery in over]
    about = [incident.key for incident in new] or [recovery.key for recovery in over]
    title = f"crm_assets: {'problem' if new else 'recovered'}: {', '.join(about[:NAMED])}"
    if len(about) > NAMED:
        title += f" and {len(about) - NAMED} more"
    return Message(title, "\n\n".join([*parts, link]), is_recovery=not new)


def _kind(key: str) -> str:
    return key.split(" ", 1)[0]


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def _since(since: datetime) -> str:
    minutes = int((datetime.now(timezone.utc) - since).total_seconds() / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min" if hours else f"{minutes} min"
