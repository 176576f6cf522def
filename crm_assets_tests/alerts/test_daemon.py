"""A running `dagster dev` and a real receiver: each kind of incident is reported once, and its end once."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterEventType, DagsterInstance

from crm_assets.definitions import defs
from crm_assets_tests.alerts.receivers import Webhook, webhook
from crm_assets_tests.dagster_dev import CHECKOUT, HOME, DagsterDev, dagster_dev, wait_for_run
from crm_assets_tests.scripted_crm import ScriptedCrm, always, json_response, scripted_crm, tasks
from crm_assets_tests.waiting import eventually

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(1800)]

RECOVERED = "crm_assets: recovered: "

FOUR_HOURS = 4 * 3600
"""Seconds. A table that is read every hour is late after three."""


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as receiver:
        yield receiver


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    with scripted_crm(lists={"open_tasks": tasks(3)}) as crm:
        yield crm


@pytest.fixture
def dev(crm: ScriptedCrm, hook: Webhook, tmp_path: Path) -> Iterator[DagsterDev]:
    """`dagster dev` where accounts were read last four hours ago."""
    settings = crm.settings() | {"CRM_NOTIFY": hook.address}
    (tmp_path / ".env").write_text("\n".join(f"{name}={value}" for name, value in settings.items()), encoding="utf-8")
    read_accounts_long_ago(tmp_path / HOME)
    with dagster_dev(tmp_path) as dev:
        yield dev


def read_accounts_long_ago(home: Path) -> None:
    """Reads accounts, and stores that it was four hours ago."""
    home.mkdir()
    shutil.copy(CHECKOUT / "dagster.yaml", home)
    accounts = AssetKey(["raw", "accounts"])
    with DagsterInstance.from_config(str(home)) as instance:
        job = defs.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(asset_selection=[accounts], instance=instance).success
        event = instance.get_latest_materialization_event(accounts)
        assert event is not None
        instance.store_event(event._replace(timestamp=event.timestamp - FOUR_HOURS))


def kill(dev: DagsterDev, run_id: str) -> None:
    """Kills the process of a run, as a machine does that is out of memory."""
    with dev.instance() as instance:
        events = "\n".join(entry.user_message for entry in instance.all_logs(run_id, DagsterEventType.ENGINE_EVENT))
    [pid, *_] = re.findall(r"\(pid: (\d+)\)", events)
    os.kill(int(pid), signal.SIGKILL)


def recovered(hook: Webhook) -> list[str]:
    """All that alerts of recoveries have named."""
    over = [title.removeprefix(RECOVERED) for title in hook.titles if title.startswith(RECOVERED)]
    return sorted(name for title in over for name in title.split(", "))


def test_each_kind_of_incident_is_reported_once_and_its_end_once(
    dev: DagsterDev, crm: ScriptedCrm, hook: Webhook
) -> None:
    late, killed_job = "crm_assets: late: raw/accounts", "crm_assets: problem: job won_deals_sync"
    failed, warned = "crm_assets: problem: raw/contacts", "crm_assets: warning: raw/open_tasks"

    # The daemon starts a killed run again, which waits for the CRM.
    crm.holds_back = lambda seen: seen.resource == "won_deals"
    killed = dev.submit("won_deals_sync", "raw/won_deals")
    eventually(lambda: crm.pages("won_deals") != [])
    kill(dev, killed)
    eventually(lambda: {late, killed_job} <= set(hook.titles))
    crm.holds_back = None

    crm.faults.append(always("contacts", lambda: json_response({"message": "Not yours"}, 403)))
    crm.lists["open_tasks"].append({"title": "without id"})
    for _ in range(2):
        wait_for_run(dev, dev.submit("contacts_sync", "raw/contacts"))
        wait_for_run(dev, dev.submit("open_tasks_sync", "raw/open_tasks"))
    eventually(lambda: {failed, warned} <= set(hook.titles))
    crm.faults.clear()
    crm.lists["open_tasks"].pop()
    for resource in ("contacts", "open_tasks", "accounts"):
        wait_for_run(dev, dev.submit(f"{resource}_sync", f"raw/{resource}"))

    everything = ["job won_deals_sync", "raw/accounts", "raw/contacts", "raw/open_tasks"]
    eventually(lambda: recovered(hook) == everything)
    dev.wait_for_ticks("send_alerts", 2)
    assert recovered(hook) == everything
    assert sorted(title for title in hook.titles if not title.startswith(RECOVERED)) == sorted(
        [late, killed_job, failed, warned]
    )
