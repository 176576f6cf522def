"""Open incidents, so that what is wrong is reported once, and its end once: by a sensor, or by each run at its end.

They need no storage of their own.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zlib import crc32

import dagster as dg
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import Self

from crm_assets.alerts.outcomes import Kind, Outcome, Problem, lateness, named, run_outcome
from crm_assets.alerts.sending import Message, send
from crm_assets.errors import SettingsError, counted
from crm_assets.masking import mask_log_records, masked
from crm_assets.settings import DEFAULT_CRM, Crm, setting_at_load
from crm_assets.settings.secrets import url
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets.yaml_files import read_yaml

LONGEST, MOST = 1500, 20
"""The most characters about one problem, and the most such texts and links in an alert, whose title counts the rest."""

IN_TITLE = 3
"""The most assets that a title names."""

ADVICE: Mapping[str, str] = read_yaml(Path(__file__).with_name("advice.yaml"), SettingsError)
"""Kind of problem -> what it means and what to do."""


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
        if not incident.is_reported and len(incident.details) < MOST:
            # A secret that was cut could not be masked.
            details = [*incident.details, masked(problem.text)[:LONGEST], problem.link]
            incident.details = list(dict.fromkeys(filter(None, details)))


def _problem(incident: Incident) -> Message:
    """The message about a new incident."""
    kind, subjects = incident.kind, incident.subjects
    word = kind.value if kind in {Kind.warning, Kind.late} else "problem"
    hit = [f"Failed: {named(subjects)}"] if kind is Kind.step else []
    checks = sorted({_crm_of(subject).command("check") for subject in subjects})
    return Message(
        "warning" if kind is Kind.warning else "failure",
        f"crm_assets: {word}: {named(subjects, IN_TITLE)}",
        "\n".join(
            [*incident.details, *hit, ADVICE[kind.value].format(check=" and ".join(f"`{check}`" for check in checks))]
        ),
    )


def _crm_of(subject: str) -> Crm:
    """The CRM that an asset, check or job belongs to; the first for others, such as somebody's own assets."""
    is_job, path = subject.startswith("job "), subject.partition(":")[0].split("/")
    try:
        return Crm(subject.removeprefix("job ").rpartition("_crm_")[0] if is_job else "/".join(path[:-2]))
    except SettingsError:
        return DEFAULT_CRM


def _recovery(incidents: Sequence[Incident]) -> Message:
    """The message about incidents that are over."""
    subjects = [subject for incident in incidents for subject in incident.subjects]
    lines = [f"Recovered after {_elapsed(incident.since)} hours: {named(incident.subjects)}" for incident in incidents]
    body = "\n".join([*lines, "Nothing has to be done."])
    return Message("success", f"crm_assets: recovered: {named(subjects, IN_TITLE)}", body)


def _elapsed(since: datetime) -> str:
    """Hours and minutes, such as `1 day, 2:05`."""
    # Not negative, if a clock was ahead.
    minutes = max(datetime.now(timezone.utc) - since, timedelta()) // timedelta(minutes=1)
    return str(timedelta(minutes=minutes)).removesuffix(":00")


DAEMON_SILENT = 120
"""Seconds without a heartbeat after which no daemon runs. It sends one every 30 seconds."""

OVERLAP = timedelta(minutes=10)
"""How much later than its end a run may become visible, with the difference between the clocks of two machines."""

AT_A_TIME = 150
"""Runs looked at per tick, which takes up to 0.15 s for each: it ends long before Dagster's limit of a minute."""

TAG, LAST = ".dagster/crm_incidents", 20
"""The tag of runs that report themselves, with all open incidents, and in how many of the last runs it is looked for:
runs of other jobs, and those that ended while another one went on, do not have it. The UI shows no such tag."""

ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


class Cursor(Incidents):
    """What the sensor stores: incidents, the time of its last look, and the runs that have ended shortly before."""

    at: datetime = Field(default_factory=lambda: datetime.now(timezone.utc))
    seen: list[str] = Field(default_factory=list)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends alerts about failed steps, failed checks, killed runs and late tables, and when they are over.",
)
def send_alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Looks at the runs that have ended since its last tick, and at the age of all tables."""
    instance, repository, ui = context.instance, context.repository_def, _ui()
    assert repository is not None  # noqa: S101
    graph, cursor, now = repository.asset_graph, Cursor.read(context.cursor), datetime.now(timezone.utc)
    windows = {
        key: getattr(graph.get(key).freshness_policy, "fail_window", None) for key in graph.materializable_asset_keys
    }
    if not context.cursor:  # no daemon has run yet: runs have reported themselves
        cursor.adopt(Incidents.read(_stored(instance)))
    for run in _ended_since(instance, cursor, now):
        if run.job_name in repository.job_names and (not run.asset_selection or run.asset_selection & windows.keys()):
            cursor.adopt(Incidents.read(run.tags.get(TAG)))
            cursor.settle(run_outcome(instance, run, ui))
    allowed = {key: window.to_timedelta() for key, window in windows.items() if window}
    cursor.settle(lateness(instance, allowed, now, ui))
    _report(cursor)
    context.update_cursor(cursor.model_dump_json())
    return dg.SkipReason(counted(len(cursor.incidents), "open incident"))


def _ended_since(instance: dg.DagsterInstance, cursor: Cursor, now: datetime) -> list[dg.DagsterRun]:
    """The runs that have ended since the cursor, in order: the last ones, if they are too many. Advances the cursor."""
    since = cursor.at - OVERLAP
    records = instance.get_run_records(
        dg.RunsFilter(statuses=ENDED, updated_after=since), limit=AT_A_TIME, order_by="update_timestamp"
    )
    ended = [(record.end_time or now.timestamp(), record.dagster_run) for record in records]
    new = [(at, run) for at, run in ended if run.run_id not in cursor.seen and at > since.timestamp()]
    cursor.at, cursor.seen = now, [run.run_id for _, run in ended]
    return [run for _, run in sorted(new, key=lambda each: each[0])]


class ReportingWarehouse(Warehouse):
    """The warehouse, which all assets use. When Dagster closes it at the end of a run, it reports the run."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Warehouse]:
        """Reports the run, unless a daemon does. If each step has a process of its own, after each step."""
        try:
            with super().yield_for_execution(context) as warehouse:
                yield warehouse
        finally:
            if context.instance and context.dagster_run and not _daemon_runs(context.instance):
                _report_run(context.instance, context.dagster_run)


def _report_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Reports a run. Open incidents are in a tag of an earlier step's report, or of the last run that had to report."""
    try:
        before = _stored(instance, run.run_id)
        incidents = Incidents.read(before)
        # Without this, Dagster's storage ends with the process.
        incidents.settle(run_outcome(instance, run, _ui() if os.environ.get("DAGSTER_HOME") else ""))
        _report(incidents)
        if before or incidents.incidents:
            instance.add_run_tags(run.run_id, {TAG: incidents.model_dump_json()})
    except Exception as error:  # noqa: BLE001 # alerts never fail a run; the message may hold an address
        dg.get_dagster_logger().warning(f"Alerts could not be sent: {type(error).__name__}")


def _stored(instance: dg.DagsterInstance, run_id: str = "") -> str | None:
    """The incidents in the tag of a run or, if it has none, of the last one that had to report."""
    now = datetime.now(timezone.utc) + OVERLAP
    # A run of a clock that was ahead comes last: it would be the first one until that time.
    filters = [dg.RunsFilter(statuses=ENDED, updated_before=now), dg.RunsFilter(statuses=ENDED, updated_after=now)]
    ended = [each for f in filters for each in instance.get_run_records(f, limit=LAST, order_by="update_timestamp")]
    runs = [instance.get_run_by_id(run_id), *(record.dagster_run for record in ended)]
    return next((run.tags[TAG] for run in runs if run and TAG in run.tags), None)


def _daemon_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon evaluates sensors."""
    heartbeat = instance.get_daemon_heartbeats().get("SENSOR")
    return heartbeat is not None and abs(time.time() - heartbeat.timestamp) < DAEMON_SILENT


def _ui() -> str:
    return str(url(setting_at_load("ui_url")).shown.rstrip("/"))


def _report(incidents: Incidents) -> None:
    mask_log_records()
    notify = setting_at_load("notify")
    addresses = notify.get_secret_value() if notify else ""
    incidents.report(lambda message: send(message, addresses, dg.get_dagster_logger().warning))
