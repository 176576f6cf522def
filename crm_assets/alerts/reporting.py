"""Reports incidents: by a sensor, and without a daemon by each run at its end. Needs no storage of its own."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import dagster as dg
from pydantic import Field

from crm_assets.alerts.incidents import Incidents
from crm_assets.alerts.outcomes import lateness, run_outcome
from crm_assets.alerts.sending import send
from crm_assets.errors import counted
from crm_assets.masking import mask_log_records
from crm_assets.settings import setting_at_load
from crm_assets.settings.secrets import url
from crm_assets.warehouse.warehouse import Warehouse

DAEMON_SILENT = 120
"""Seconds without a heartbeat after which no daemon runs. It sends one every 30 seconds."""

OVERLAP = timedelta(minutes=10)
"""How much later than its end a run may become visible, with the difference between the clocks of two machines."""

TAG = "crm_assets/incidents"
"""The tag of runs that report themselves, with all open incidents."""

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
    """The runs that have ended since the cursor, in order. Advances the cursor."""
    since = cursor.at - OVERLAP
    records = instance.get_run_records(dg.RunsFilter(statuses=ENDED, updated_after=since))
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
    """Reports a run. Open incidents are in a tag of an earlier step's report, or of the last run that has ended."""
    try:
        stored = [instance.get_run_by_id(run.run_id), *instance.get_runs(dg.RunsFilter(statuses=ENDED), limit=1)]
        before = [each.tags[TAG] for each in stored if each and TAG in each.tags]
        incidents = Incidents.read(before[0] if before else None)
        incidents.settle(run_outcome(instance, run, _ui()))
        _report(incidents)
        if before or incidents.incidents:
            instance.add_run_tags(run.run_id, {TAG: incidents.model_dump_json()})
    except Exception as error:  # noqa: BLE001 # alerts never fail a run; the message may hold an address
        dg.get_dagster_logger().warning(f"Alerts could not be sent: {type(error).__name__}")


def _daemon_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon evaluates sensors."""
    heartbeat = instance.get_daemon_heartbeats().get("SENSOR")
    return heartbeat is not None and heartbeat.timestamp > time.time() - DAEMON_SILENT


def _ui() -> str:
    return str(url(setting_at_load("ui_url")).shown.rstrip("/"))


def _report(incidents: Incidents) -> None:
    mask_log_records()
    notify = setting_at_load("notify")
    addresses = notify.get_secret_value() if notify else ""
    incidents.report(lambda message: send(message, addresses, dg.get_dagster_logger().warning))
