"""The services of `deploy/compose.yaml`: their commands and files, as processes and as containers."""

import re

import pytest

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.deployment.deployed import TICKING, Deployment
from crm_assets_tests.waiting import eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800), pytest.mark.usefixtures("lake_extensions")]


@pytest.fixture
def lake(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The deployment's lake."""
    for name, value in deployment.lake.items():
        monkeypatch.setenv(name, value)
    return Warehouse()


def test_the_code_location_is_loaded(deployment: Deployment) -> None:
    query = """query ($selector: RepositorySelector!) {
        repositoryOrError(repositorySelector: $selector) {... on Repository {jobs {name}}}
    }"""
    jobs = deployment.ask(query, selector=deployment.repository)["repositoryOrError"]["jobs"]
    assert {"crm_full_refresh", "crm_incremental"} <= {job["name"] for job in jobs}


def test_a_run_of_the_web_server_loads_into_the_lake(deployment: Deployment, lake: Warehouse) -> None:
    run = deployment.submit("__ASSET_JOB", "raw/contacts", "staging/stg_contacts")
    assert deployment.end_of(run) == "SUCCESS"
    with lake.read_connection() as reader:
        [(rows, ids)] = reader.execute("select count(*), count(distinct id) from raw.contacts").fetchall()
        assert rows == ids > 0
        assert reader.execute("select count(*) from staging.stg_contacts").fetchall() == [(rows,)]


def test_the_daemon_starts_a_killed_run_again(deployment: Deployment, lake: Warehouse) -> None:
    killed = deployment.submit("crm_full_refresh")
    process = eventually(lambda: process_of(deployment, killed))
    eventually(lambda: "STEP_START" in dict(deployment.events(killed)))
    assert deployment.host.succeeds(deployment.services["code"], f"kill -9 {process}")
    assert deployment.end_of(killed) == "FAILURE"
    [again] = eventually(lambda: deployment.runs(parent_run_id=killed))
    assert deployment.end_of(again["runId"]) == "SUCCESS"
    with lake.read_connection() as reader:
        for resource in ("accounts", "contacts", "won_deals", "open_tasks", "past_appointments"):
            [(rows, ids)] = reader.execute(f"select count(*), count(distinct id) from raw.{resource}").fetchall()
            assert rows == ids > 0
        [(deals,)] = reader.execute("select count(*) from raw.won_deals").fetchall()
        assert reader.execute("select count(*) from staging.stg_won_deals").fetchall() == [(deals,)]


def process_of(deployment: Deployment, run: str) -> str:
    """The number of a run's process, once it has one."""
    messages = "\n".join(message for _, message in deployment.events(run))
    found = re.search(r"Started process for run \(pid: (\d+)\)", messages)
    return found[1] if found else ""


def test_a_schedule_starts_runs(deployment: Deployment) -> None:
    started = eventually(lambda: deployment.runs(schedule_name=TICKING))
    assert deployment.end_of(started[-1]["runId"]) == "SUCCESS"


def test_the_daemon_is_healthy(deployment: Deployment) -> None:
    query = "{instance {daemonHealth {allDaemonStatuses {daemonType required healthy}}}}"

    def all_well() -> bool:
        daemons = deployment.ask(query)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(daemon["healthy"] for daemon in daemons if daemon["required"])

    assert eventually(all_well)
