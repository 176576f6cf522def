"""Open incidents: what is wrong now, so that each is reported once, and its end once."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from zlib import crc32

from pydantic import BaseModel, Field, ValidationError
from typing_extensions import Self

from crm_assets.alerts.outcomes import Kind, Outcome, Problem, named
from crm_assets.alerts.sending import Message
from crm_assets.masking import masked

LONGEST = 1500
"""The most characters about one problem. Chat services truncate messages of more than a few thousand."""

IN_TITLE = 3
"""The most assets that a title names."""

TITLES: Mapping[Kind, str] = {Kind.warning: "warning", Kind.late: "late"}
"""The word in the title of an alert, if it is not `problem`."""

ADVICE: Mapping[Kind, str] = {
    Kind.step: (
        "Unless the error says otherwise, tables keep the rows of their last successful run. Fix what the error "
        "says, then materialize again. {check} shows whether the CRM can be read, and what to set."
    ),
    Kind.run: (
        "No table is left half written, so nothing needs cleaning up. Run it again. If its process was killed, "
        "check the machine's memory and whether it restarted."
    ),
    Kind.check: (
        "The table was written, and no row was deleted. Do what the check says; its page has the rows or fields. "
        "The next read checks it again."
    ),
    Kind.warning: (
        "The tables were written. The page of each check has the rows or fields. {check} shows which settings "
        "to change."
    ),
    Kind.late: (
        "Nothing failed, but nothing ran either. Check that Dagster's daemon runs, and turn the schedule on under "
        "Automation in the UI."
    ),
}
"""What a problem means and what to do. `{check}`: the command that checks the CRM."""


class Incident(BaseModel):
    """Problems with one cause.

    Attributes:
        kind: What failed.
        cause: Identifies the cause.
        since: When it was found, UTC.
        subjects: All that it hit.
        unsolved: Those that have not succeeded since.
        details: What happened, with links. Kept until it is reported.
        is_reported: Whether an alert was sent.
    """

    kind: Kind
    cause: int
    since: datetime
    subjects: list[str] = Field(default_factory=list)
    unsolved: list[str] = Field(default_factory=list)
    details: list[str] = Field(default_factory=list)
    is_reported: bool = False


class Incidents(BaseModel):
    """All open incidents, and those whose end was not reported yet."""

    incidents: list[Incident] = Field(default_factory=list)

    @classmethod
    def read(cls, stored: str | None) -> Self:
        """The stored incidents. A damaged text has none: at worst an incident is reported twice."""
        try:
            return cls.model_validate_json(stored or "{}")
        except ValidationError:
            return cls()

    def settle(self, outcome: Outcome) -> None:
        """Opens incidents for new problems, and notes what has succeeded."""
        for incident in self.incidents:
            incident.unsolved = [subject for subject in incident.unsolved if subject not in outcome.solved]
        known = self._unsolved
        for problem in outcome.problems:
            if (problem.kind, problem.subject) not in known:
                self._open(problem)

    def adopt(self, others: "Incidents") -> None:
        """Adds incidents that were found elsewhere."""
        known = {subject for _, subject in self._unsolved}
        self.incidents += [other for other in others.incidents if known.isdisjoint(other.unsolved)]

    def report(self, send: Callable[[Message], bool]) -> None:
        """Sends what was not reported yet: each incident alone, and all that are over together.

        What was over before it was reported is left out. `send`: sends a message, and returns whether it arrived.
        """
        self.incidents = [incident for incident in self.incidents if incident.unsolved or incident.is_reported]
        for incident in self.incidents:
            if not incident.is_reported and send(_problem(incident)):
                incident.details, incident.is_reported = [], True
        over = [incident for incident in self.incidents if not incident.unsolved]
        if over and send(_recovery(over)):
            self.incidents = [incident for incident in self.incidents if incident.unsolved]

    @property
    def _unsolved(self) -> set[tuple[Kind, str]]:
        return {(incident.kind, subject) for incident in self.incidents for subject in incident.unsolved}

    def _open(self, problem: Problem) -> None:
        """Opens an incident, or adds to one with the same cause."""
        cause = crc32(problem.cause.encode())
        found = [incident for incident in self.incidents if (incident.kind, incident.cause) == (problem.kind, cause)]
        incident = found[0] if found else Incident(kind=problem.kind, cause=cause, since=datetime.now(timezone.utc))
        self.incidents += [] if found else [incident]
        incident.subjects.append(problem.subject)
        incident.unsolved.append(problem.subject)
        if not incident.is_reported:
            # A secret that was cut could not be masked.
            incident.details = list(dict.fromkeys([*incident.details, masked(problem.text)[:LONGEST], problem.link]))


def _problem(incident: Incident) -> Message:
    """The message about a new incident."""
    kind, subjects = incident.kind, incident.subjects
    hit = [f"Failed: {named(subjects)}"] if kind is Kind.step else []
    crms = sorted({"/".join(subject.partition(":")[0].split("/")[:-2]) for subject in subjects})
    check = " and ".join(f"`crm-assets check{f' --crm {crm}' if crm else ''}`" for crm in crms)
    return Message(
        "warning" if kind is Kind.warning else "failure",
        f"crm_assets: {TITLES.get(kind, 'problem')}: {named(subjects, IN_TITLE)}",
        "\n".join([*incident.details, *hit, ADVICE[kind].format(check=check)]),
    )


def _recovery(incidents: Sequence[Incident]) -> Message:
    """The message about incidents that are over."""
    subjects = [subject for incident in incidents for subject in incident.subjects]
    lines = [f"Recovered after {_elapsed(incident.since)} hours: {named(incident.subjects)}" for incident in incidents]
    body = "\n".join([*lines, "Nothing has to be done."])
    return Message("success", f"crm_assets: recovered: {named(subjects, IN_TITLE)}", body)


def _elapsed(since: datetime) -> str:
    """Hours and minutes, such as `1 day, 2:05`."""
    minutes = (datetime.now(timezone.utc) - since) // timedelta(minutes=1)
    return str(timedelta(minutes=minutes)).removesuffix(":00")
