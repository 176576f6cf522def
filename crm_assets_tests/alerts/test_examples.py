"""The examples in docs/alerts.md are alerts that the project sends."""

import re
from pathlib import Path

import duckdb
import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.automation.check_and_digest import digest
from crm_assets.reports.figures import Formats, read_figures
from crm_assets.settings.crm import SANDBOX
from crm_assets_tests.alerts.receivers import Webhook
from crm_assets_tests.alerts.test_alerts import refuse
from crm_assets_tests.alerts.test_sensor import Daemon, kill_a_run
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.models.conftest import built
from crm_assets_tests.models.reckoning import Record
from crm_assets_tests.models.recomputed.crm import ZONE
from crm_assets_tests.scripted_crm import ScriptedCrm, tasks

pytestmark = pytest.mark.slow

__all__ = ["built"]

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")
EXAMPLES: dict[str, str] = dict(re.findall(r"^### (.*?)\n.*?```text\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))

RUN = "0b1f8c1e-5a2d-4c3b-9d4e-7f6a5b4c3d2e"


def shown(hook: Webhook) -> list[str]:
    """The alerts that have arrived since the last call, as the page shows them."""
    alerts = [f"{alert['title']}\n{alert['message']}\n" for alert in hook.received]
    hook.received.clear()
    return [re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", RUN, alert) for alert in alerts]


def test_a_failure_and_its_recovery(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    refuse(crm, "accounts", "contacts")
    materialize("accounts", "contacts", instance=instance)
    assert shown(hook) == [EXAMPLES["Failed assets"]]
    crm.faults.clear()
    materialize("accounts", "contacts", instance=instance)
    assert shown(hook) == [EXAMPLES["Recovered"]]


def test_a_list_that_lost_most_of_its_records(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    for count in (60, 10):
        crm.lists["open_tasks"] = tasks(count)
        materialize("open_tasks", instance=instance)
    assert shown(hook) == [EXAMPLES["A failed check"]]


def test_checks_that_warn(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    crm.lists |= {"accounts": [{"id": 1, "mood": "good"}], "open_tasks": [{"id": 1, "effort": 3}]}
    materialize("accounts", "open_tasks", instance=instance)
    assert shown(hook) == [EXAMPLES["Warnings"]]


def test_a_killed_run_and_a_late_table(hook: Webhook, crm: ScriptedCrm, instance: DagsterInstance) -> None:
    daemon = Daemon(instance)
    kill_a_run(instance)
    daemon.tick()
    assert shown(hook) == [EXAMPLES["A run that did not end"]]

    crm.lists["accounts"] = [{"id": 1}]
    materialize("accounts", instance=instance)
    event = instance.get_latest_materialization_event(AssetKey(["raw", "accounts"]))
    assert event is not None
    instance.store_event(event._replace(timestamp=event.timestamp - 4 * 3600))
    daemon.tick()
    assert shown(hook) == [EXAMPLES["Late tables"]]


@pytest.mark.long
@pytest.mark.file
def test_a_digest(built: tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]]) -> None:
    connection, _ = built
    message = digest(read_figures(connection), Formats(ZONE, "EUR"), SANDBOX, Path("sales_review.html"))
    assert f"{message.title}\n{message.body}\n" == EXAMPLES["Digest"]
