"""The text of alerts: what happened, what it means, what to do, and a link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from types import MappingProxyType

from crm_assets.alerts.incidents import Incident, Recovery

LONGEST = 1500
"""The most characters of one incident's text. Chat services truncate messages of more than a few thousand."""

NAMED = 3
"""The most incidents in a title."""

ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "asset": (
            "Unless the error says otherwise, its table keeps the rows of the last successful run. The assets that "
            "depend on it were not built. Fix what the error says, then materialize it again."
        ),
        "check": "The table was written. The check's page in the UI shows the rows or fields.",
        "run": (
            "No table is left half written, so nothing needs cleaning up. Run it again. If its process was killed, "
            "check the machine's memory and whether it restarted."
        ),
        "late": "Nothing failed, but nothing ran either. Check that the daemon runs and the schedule is turned on.",
    }
)
"""First word of an incident's key -> what it means and what to do."""


@dataclass(frozen=True)
class Message:
    """An alert."""

    title: str
    body: str
    is_recovery: bool


def message(new: Sequence[Incident], over: Sequence[Recovery], link: str) -> Message:
    """Makes one message about all changes.

    Args:
        new: New incidents; the title names them.
        over: Incidents that are over.
        link: The URL of the page with details.
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
