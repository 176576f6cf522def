"""Runs without a daemon report themselves: one alert for each cause, and one when it is over."""

import time
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest
from dagster import DagsterInstance
from starlette.responses import Response

from crm_assets.alerts.outcomes import Kind
from crm_assets.alerts.reporting import TAG, Incident, Incidents
from crm_assets_tests.alerts.receivers import Webhook
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.scripted_crm import ScriptedCrm, always, json_response, tasks

pytestmark = pytest.mark.slow

REFUSED = "crm_assets: problem: raw/open_tasks"


def refuse(crm: ScriptedCrm, *resources: str) -> None:
    for resource in resources or ("open_tasks",):
        crm.faults.append(always(resource, lambda: json_response({"message": "Not yours"}, 403)))


def test_a_failure_is_reported_once_and_its_recovery_once(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance
) -> None:
    refuse(crm)
    for _ in range(2):
        assert not materialize("open_tasks", instance=instance).success
    assert hook.titles == [REFUSED]

    crm.faults.clear()
    for _ in range(2):
        assert materialize("open_tasks", instance=instance).success
    assert hook.titles[1:] == ["crm_assets: recovered: raw/open_tasks"]
    assert [alert["type"] for alert in hook.received] == ["failure", "success"]


def test_a_failure_while_the_clock_was_ahead_recovers_once(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(crm)
    with monkeypatch.context() as ahead:
        right = time.time
        ahead.setattr("time.time", lambda: right() + 86400)
        materialize("open_tasks", instance=instance)
    crm.faults.clear()
    for _ in range(2):
        materialize("open_tasks", instance=instance)
    assert hook.titles == [REFUSED, "crm_assets: recovered: raw/open_tasks"]


def test_a_run_of_another_job_between_changes_nothing(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance
) -> None:
    @dg.job
    def other() -> None:
        """One without tables, such as `crm_check`."""

    refuse(crm)
    for _ in range(2):
        assert not materialize("open_tasks", instance=instance).success
        assert other.execute_in_process(instance=instance).success
    crm.faults.clear()
    assert materialize("open_tasks", instance=instance).success
    assert hook.titles == [REFUSED, "crm_assets: recovered: raw/open_tasks"]


def test_an_incident_of_a_clock_that_was_ahead_took_no_time() -> None:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    incident = Incident(kind=Kind.late, cause=1, since=tomorrow, subjects=["raw/accounts: age"], is_reported=True)
    incidents = Incidents(incidents=[incident])
    incidents.report(lambda message: "Recovered after 0:00 hours" in message.body)
    assert incidents.incidents == []


def test_a_cause_that_hits_many_assets_is_one_alert(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    lists = ["accounts", "contacts", "open_tasks", "won_deals"]
    refuse(crm, *lists)
    run = materialize(*lists, instance=instance)
    [alert] = hook.received
    assert alert["title"] == "crm_assets: problem: raw/accounts, raw/contacts, raw/open_tasks and 1 more"
    assert "Failed: raw/accounts, raw/contacts, raw/open_tasks, raw/won_deals\n" in alert["message"]
    assert f"https://dagster.example.com/runs/{run.result.run_id}\n" in alert["message"]
    assert alert["message"].count("Not yours") == 1

    crm.faults.clear()
    assert materialize("accounts", instance=instance).success
    assert len(hook.received) == 1
    assert materialize(*lists, instance=instance).success
    assert hook.titles[1:] == ["crm_assets: recovered: raw/accounts, raw/contacts, raw/open_tasks and 1 more"]


def test_a_run_that_no_ui_shows_has_no_link(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME")
    crm.lists["contacts"] = [{"title": "without id"}]
    refuse(crm)
    materialize("contacts", "open_tasks", instance=instance)
    assert len(hook.received) == 2
    assert not [alert for alert in hook.received if "dagster.example.com" in alert["message"]]


def test_a_cause_that_hits_several_runs_is_one_alert(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance
) -> None:
    lists = ["accounts", "contacts", "open_tasks"]
    crm.faults += [always(resource, lambda: json_response({}, 401)) for resource in lists]
    for resource in lists:
        assert not materialize(resource, instance=instance).success
    assert hook.titles == ["crm_assets: problem: raw/accounts"]

    crm.faults.clear()
    crm.faults.append(always("contacts", lambda: Response("", 404)))
    for resource in lists:
        materialize(resource, instance=instance)
    assert hook.titles[1:] == []
    crm.faults.clear()
    assert materialize("contacts", instance=instance).success
    assert hook.titles[1:] == ["crm_assets: recovered: raw/accounts, raw/contacts, raw/open_tasks"]


def test_two_causes_are_two_alerts(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    refuse(crm)
    crm.faults.append(always("contacts", lambda: Response("", 404)))
    materialize("contacts", "open_tasks", instance=instance)
    assert sorted(hook.titles) == ["crm_assets: problem: raw/contacts", REFUSED]


@pytest.mark.long
def test_failed_checks_are_one_warning_with_links(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    crm.lists["open_tasks"].append({"title": "without id"})
    crm.lists["contacts"] = [{"id": 1}, {"title": "without id"}]
    for _ in range(2):
        assert materialize("contacts", "open_tasks", instance=instance).success
    [alert] = hook.received
    assert alert["type"] == "warning"
    assert alert["title"] == "crm_assets: warning: raw/contacts, raw/open_tasks"
    assert "raw/open_tasks: records were rejected: 1 (no id)" in alert["message"]
    page = "https://dagster.example.com/assets/raw/open_tasks?view=checks&checkDetail=no_rejected_records\n"
    assert page in alert["message"]

    crm.lists["open_tasks"].pop()
    crm.lists["contacts"].pop()
    assert materialize("contacts", "open_tasks", instance=instance).success
    assert hook.titles[1:] == ["crm_assets: recovered: raw/contacts, raw/open_tasks"]


@pytest.mark.usefixtures("crm")
def test_a_run_without_problems_reports_nothing(hook: Webhook, instance: DagsterInstance) -> None:
    run = materialize("open_tasks", instance=instance)
    assert hook.received == []
    assert TAG not in instance.get_run_by_id(run.result.run_id).tags  # type: ignore[union-attr]


def test_an_alert_that_did_not_arrive_is_sent_by_the_next_run(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance
) -> None:
    refuse(crm)
    hook.status = 500
    assert not materialize("open_tasks", instance=instance).success
    hook.status = 200
    assert not materialize("open_tasks", instance=instance).success
    assert hook.titles == [REFUSED]
    assert "Not yours" in hook.received[0]["message"]


@pytest.mark.usefixtures("crm")
def test_a_wrong_setting_is_one_alert(
    hook: Webhook, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "many")
    materialize("accounts", "open_tasks", instance=instance)
    [alert] = hook.received
    assert "SOURCES__CRM__PER_PAGE" in alert["message"]


def test_a_failure_that_a_retry_mends_is_not_reported(
    hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance
) -> None:
    crm.lists["open_tasks"] = tasks(3)
    crm.faults.append(lambda _: Response("", 500) if len(crm.seen) <= 5 else None)
    assert materialize("open_tasks", instance=instance).success
    assert hook.received == []
