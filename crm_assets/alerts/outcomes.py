"""What a run did: which assets and checks failed, and which succeeded, from its events."""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from itertools import product

import dagster as dg
from dagster import DagsterEventType as EventType

from crm_assets.console import PROCESS_ENDED
from crm_assets.dagster_internals import WITHOUT_JOB, process_ended, was_interrupted

EVENTS = {
    EventType.ASSET_MATERIALIZATION_PLANNED,
    EventType.ASSET_CHECK_EVALUATION,
    EventType.STEP_SUCCESS,
    EventType.STEP_FAILURE,
    EventType.RUN_FAILURE,
    EventType.RUN_SUCCESS,
}


class Kind(str, Enum):
    """What failed: a step, a run without a failed step, checks of which one is an error, others, a table's update."""

    step = "step"
    run = "run"
    check = "check"
    warning = "warning"
    late = "late"


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        kind: What failed.
        subject: What it hit: `raw/accounts`, `raw/accounts:complete_read`, `raw/accounts: age`, `job publish`.
        cause: The same for problems that are reported together.
        text: What happened and what to do.
        link: The URL of its page in the UI; empty if there is none.
    """

    kind: Kind
    subject: str
    cause: str
    text: str
    link: str


@dataclass(frozen=True)
class Outcome:
    """The problems after a run, and the subjects that succeeded."""

    problems: Sequence[Problem]
    solved: Collection[str]


@dataclass(frozen=True)
class _RunEvents:
    """What the events of a run say. A step that makes no asset has the key None.

    Attributes:
        made: The assets whose steps succeeded.
        failed: Asset -> the event of its failed step, if it was not interrupted.
        interrupted: Whether a step was interrupted.
        skipped: The names of planned assets whose steps neither succeeded nor failed.
        checks: The evaluations of each check's last attempt.
        failures: Dagster's words for the failure of the run; none if it has not failed.
        succeeded: Whether the run has succeeded.
    """

    made: set[dg.AssetKey | None]
    failed: Mapping[dg.AssetKey | None, dg.EventLogEntry]
    interrupted: bool
    skipped: Sequence[str]
    checks: Sequence[dg.AssetCheckEvaluation]
    failures: Sequence[str | None]
    succeeded: bool

    @classmethod
    def read(cls, instance: dg.DagsterInstance, run_id: str) -> "_RunEvents":
        """Reads a run's events until now."""
        entries: dict[EventType, list[dg.EventLogEntry]] = {event_type: [] for event_type in EVENTS}
        for entry in instance.all_logs(run_id, of_type=EVENTS):
            entries[entry.get_dagster_event().event_type].append(entry)
        events = {kind: [entry.get_dagster_event() for entry in logged] for kind, logged in entries.items()}
        planned = {event.step_key: event.asset_key for event in events[EventType.ASSET_MATERIALIZATION_PLANNED]}
        # Events of materializations have all metadata, and take longer to read than all others.
        made = {planned.get(event.step_key) for event in events[EventType.STEP_SUCCESS]}
        ended = {planned.get(entry.step_key): entry for entry in entries[EventType.STEP_FAILURE]}
        failed = {key: entry for key, entry in ended.items() if not was_interrupted(entry.get_dagster_event())}
        evaluations = [event.asset_check_evaluation_data for event in events[EventType.ASSET_CHECK_EVALUATION]]
        return cls(
            made=made,
            failed=failed,
            interrupted=len(failed) < len(ended),
            skipped=[key.to_user_string() for key in planned.values() if key and key not in made | failed.keys()],
            checks=list({check.asset_check_key: check for check in evaluations}.values()),
            failures=[event.message for event in events[EventType.RUN_FAILURE]],
            succeeded=bool(events[EventType.RUN_SUCCESS]),
        )


def run_outcome(instance: dg.DagsterInstance, run: dg.DagsterRun, ui: str) -> Outcome:
    """The outcome of a run until now. `ui`: the address of Dagster's UI; empty if it does not show the run."""
    events, job = _RunEvents.read(instance, run.run_id), f"job {run.job_name}"
    link = ui and f"{ui}/runs/{run.run_id}"
    problems = [
        *_failed_steps(instance, run, events, link),
        *(() if events.failed else _failed_run(instance, run, events, link)),
        *_failed_checks(run, events, ui),
    ]
    solved = {key.to_user_string() for key in events.made - events.failed.keys() if key}
    solved |= {_name(check) for check in events.checks if check.passed}
    return Outcome(problems, solved | ({job} if events.succeeded else set()))


def _failed_steps(instance: dg.DagsterInstance, run: dg.DagsterRun, events: _RunEvents, link: str) -> Iterator[Problem]:
    for key, entry in events.failed.items():
        latest = instance.get_latest_materialization_event(key) if key else None
        if latest and entry.timestamp < latest.timestamp < time.time():  # unless a clock was ahead
            continue  # another run has repaired it
        broken = [check for check in events.checks if check.asset_key == key and is_error(check)]
        why, is_explained = _reason(entry.get_dagster_event(), key, broken)
        # A revoked key is one cause in all runs that it hits. Of an unexplained error no one knows that.
        cause = f"{key.path[:-2] if key and is_explained else run.run_id} {why}"
        text = why + (f"\nNot built in this run: {named(events.skipped)}" if events.skipped else "")
        for subject in (key.to_user_string() if key else f"job {run.job_name}", *map(_name, broken)):
            yield Problem(Kind.step, subject, cause, text, link)


def _failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun, events: _RunEvents, link: str) -> Iterator[Problem]:
    """The problems of a run that failed without a failed step."""
    reasons, now = events.failures, instance.get_run_by_id(run.run_id)
    # What a user has ended is no problem.
    if events.interrupted and now and now.status not in {dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED}:
        reasons = ["it was interrupted"]
    # What is materialized without a job has one whose name tells users nothing.
    has_job = run.job_name != WITHOUT_JOB
    subjects, what = ([f"job {run.job_name}"], run.job_name) if has_job else (events.skipped, named(events.skipped))
    for reason, subject in product(reasons, subjects):
        yield Problem(Kind.run, subject, run.run_id, f"A run of {what} failed: {reason}", link)


def _failed_checks(run: dg.DagsterRun, events: _RunEvents, ui: str) -> Iterator[Problem]:
    """The problems of checks, but of errors that made their step fail, which its problem names."""
    wrong = {check.asset_key for check in events.checks if is_error(check)}
    for check in events.checks:
        if not check.passed and not (is_error(check) and check.asset_key in events.failed):
            asset, kind = check.asset_key.to_user_string(), Kind.check if check.asset_key in wrong else Kind.warning
            text = f"{asset}: {check.description or f'check {check.check_name} failed'}"
            page = ui and f"{ui}/assets/{asset}?view=checks&checkDetail={check.check_name}"
            yield Problem(kind, _name(check), run.run_id, text, page)


def _reason(
    event: dg.DagsterEvent, key: dg.AssetKey | None, broken: Iterable[dg.AssetCheckEvaluation]
) -> tuple[str, bool]:
    """Why a step failed, without the asset's name: the same for all assets that the same cause hit.

    Returns the reason, and whether it is one of the project's errors, which say what the cause is.
    """
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        names = "|".join(re.escape(name) for name in (".".join(key.path), key.path[-1])) if key else ""
        return re.sub(rf"^({names})(, page \d+)?: ", "", data.user_failure_data.description), True
    found = "; ".join(f"{check.check_name}: {check.description}" for check in broken)
    if process_ended(event) or not data.error:
        return found or PROCESS_ENDED, False
    return found or data.error.message.strip(), False


def is_error(check: dg.AssetCheckEvaluation) -> bool:
    """Whether a check has failed, with severity error."""
    return not check.passed and check.severity is dg.AssetCheckSeverity.ERROR


def _name(check: dg.AssetCheckEvaluation) -> str:
    return f"{check.asset_key.to_user_string()}:{check.check_name}"


def lateness(instance: dg.DagsterInstance, allowed: Mapping[dg.AssetKey, timedelta], now: datetime, ui: str) -> Outcome:
    """Which assets are older than they may be.

    Those that were never materialized are not late, nor are those whose last run failed, which is a problem of its own.

    Args:
        instance: Dagster's instance.
        allowed: Asset -> its highest allowed age.
        now: The time.
        ui: The address of Dagster's UI.
    """
    problems, in_time = [], []
    for record in instance.get_asset_records(list(allowed)):
        key, event = record.asset_entry.asset_key, record.asset_entry.last_materialization
        age = timedelta(seconds=now.timestamp() - event.timestamp if event else 0)
        name, subject = key.to_user_string(), f"{key.to_user_string()}: age"
        if age <= allowed[key]:
            in_time.append(subject)
        elif event and not _has_failed_since(instance, event.run_id, record.asset_entry.last_run_id):
            text = f"{name} was updated {_hours(age)} ago, and at most {_hours(allowed[key])} are expected"
            problems.append(Problem(Kind.late, subject, f"late at {now}", text, f"{ui}/assets"))
    return Outcome(problems, in_time)


def _has_failed_since(instance: dg.DagsterInstance, made_by: str, last_run_id: str | None) -> bool:
    """Whether an asset's last run is another one than that which made it, and has failed."""
    last = instance.get_run_by_id(last_run_id) if last_run_id and last_run_id != made_by else None
    return last is not None and last.status is dg.DagsterRunStatus.FAILURE


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:,.1f} hours"


def named(subjects: Iterable[str], most: int = 10) -> str:
    """A list of assets, at most so many of them by name. Checks are named by their asset."""
    names = list(dict.fromkeys(subject.partition(":")[0] for subject in subjects))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
