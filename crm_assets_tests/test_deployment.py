"""The deployment of `deploy/`: its commands and files, with processes in place of containers."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
import yaml

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import tasks
from crm_assets_tests.lake_servers import HOST, LakeServers
from crm_assets_tests.scripted_crm import scripted_crm

DEPLOY = Path(__file__).parents[1] / "deploy"
IMAGE_HOME = "/opt/dagster/home"
"""Where the image has the files of the Dagster instance."""

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
DAGSTERS = ("code", "web", "daemon")
"""Dagster's services, in the order that `depends_on` starts them in."""

PATIENCE = 240
"""Seconds to wait at most for what others do."""


def asked_for(url: str, query: str, **variables: Any) -> Any:
    """The answer's data."""
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something."""
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        with suppress(requests.ConnectionError):
            if found := look():
                return found
        time.sleep(0.5)
    raise TimeoutError(f"Nothing was found within {PATIENCE} s")


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return str(probe.getsockname()[1])


def loaded_repository(url: str) -> dict[str, str] | None:
    """How GraphQL names the code location and its repository, once it is loaded."""
    query = """{workspaceOrError {... on Workspace {locationEntries {
        name locationOrLoadError {... on RepositoryLocation {repositories {name}} ... on PythonError {message}}
    }}}}"""
    [location] = asked_for(url, query)["workspaceOrError"]["locationEntries"]
    loaded = location["locationOrLoadError"] or {}
    assert "message" not in loaded, loaded
    if not loaded.get("repositories"):
        return None
    return {"repositoryLocationName": location["name"], "repositoryName": loaded["repositories"][0]["name"]}


@dataclass(frozen=True)
class Deployment:
    """Everything that the compose file starts, on this machine.

    Attributes:
        url: Of the web server.
        repository: What GraphQL calls the code location's repository.
        settings: Those of the lake and of the CRM.
    """

    url: str
    repository: Mapping[str, str]
    settings: Mapping[str, str]


@contextmanager
def service(name: str, folder: Path, ports: Mapping[str, str], values: Mapping[str, str]) -> Iterator[None]:
    """One of Dagster's services: the command and the variables of the compose file, and no others."""
    words = shlex.split(SERVICES[name]["command"].replace(IMAGE_HOME, str(folder)).replace("0.0.0.0", HOST))  # noqa: S104
    program, *arguments = [ports.get(word, word) for word in words]
    environment = {variable: values.get(variable, "") for variable in SERVICES[name]["environment"]}
    here = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"], "DLT_PROJECT_DIR": str(folder)}
    here |= {"DAGSTER_HOME": str(folder), "CRM_DATA_DIR": str(folder / "data"), "HOME": str(folder)}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(program)), *arguments],
            env=environment | here,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            if (
                "healthcheck" in SERVICES[name]
            ):  # others wait for it, as they would trip over each other in an empty database
                check = [ports.get(word, word) for word in shlex.split(SERVICES[name]["healthcheck"]["test"])]
                check[0] = str(Path(sys.executable).with_name(check[0]))
                eventually(lambda: subprocess.run(check, capture_output=True, check=False).returncode == 0)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def deployment(servers: LakeServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Started once for all tests that look at it, in front of a CRM with 70 tasks."""
    folder = tmp_path_factory.mktemp("home")
    for file in ("dagster.yaml", "workspace.yaml"):
        (folder / file).symlink_to(DEPLOY / file)
    with psycopg.connect(servers.dsn("postgres"), autocommit=True) as connection:
        connection.execute("create database dagster")
    ports = {"3000": free_port(), "4000": free_port()}
    with ExitStack() as until_the_end:
        crm = until_the_end.enter_context(scripted_crm(lists={"open_tasks": tasks(70)}))
        settings = servers.new_lake() | crm.settings()
        values = {
            "DAGSTER_POSTGRES_HOST": HOST,
            "DAGSTER_POSTGRES_PORT": str(servers.postgres_port),
            "DAGSTER_POSTGRES_USER": "crm",
            "DAGSTER_POSTGRES_PASSWORD": "any",
            "DAGSTER_POSTGRES_DB": "dagster",
            "CODE_LOCATION_HOST": HOST,
            "CODE_LOCATION_PORT": ports["4000"],
            **settings,
        }
        for name in DAGSTERS:
            until_the_end.enter_context(service(name, folder, ports, values))
        url = f"http://{HOST}:{ports['3000']}"
        yield Deployment(url, eventually(lambda: loaded_repository(url)), settings)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_code_location_is_loaded(deployment: Deployment) -> None:
    query = """query ($selector: RepositorySelector!) {
        repositoryOrError(repositorySelector: $selector) {... on Repository {jobs {name}}}
    }"""
    jobs = asked_for(deployment.url, query, selector=deployment.repository)["repositoryOrError"]["jobs"]
    assert {"crm_full_refresh", "crm_incremental"} <= {job["name"] for job in jobs}


@pytest.mark.slow
def test_a_run_that_is_launched_through_the_web_server_loads_into_the_lake(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = """mutation ($params: ExecutionParams!) {
        launchRun(executionParams: $params) {
            __typename
            ... on LaunchRunSuccess {run {runId}}
            ... on Error {message}
            ... on RunConfigValidationInvalid {errors {message}}
        }
    }"""
    status = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
    assets = [{"path": ["raw", "open_tasks"]}, {"path": ["staging", "stg_open_tasks"]}]
    selector = {**deployment.repository, "jobName": "__ASSET_JOB", "assetSelection": assets}
    params = {"selector": selector, "runConfigData": {}}
    launched = asked_for(deployment.url, launch, params=params)["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run = launched["run"]["runId"]

    def ended() -> str:
        now = str(asked_for(deployment.url, status, run=run)["runOrError"]["status"])
        return now if now in {"SUCCESS", "FAILURE", "CANCELED"} else ""

    assert eventually(ended) == "SUCCESS"
    for name, value in deployment.settings.items():
        monkeypatch.setenv(name, value)
    with Warehouse().read_connection() as lake:
        assert lake.execute("select count(*), count(distinct id) from raw.open_tasks").fetchall() == [(70, 70)]
        assert lake.execute("select count(*) from staging.stg_open_tasks").fetchall() == [(70,)]


@pytest.mark.slow
def test_the_daemon_is_healthy(deployment: Deployment) -> None:
    query = "{instance {daemonHealth {allDaemonStatuses {daemonType required healthy}}}}"

    def all_well() -> bool:
        daemons = asked_for(deployment.url, query)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(daemon["healthy"] for daemon in daemons if daemon["required"])

    assert eventually(all_well)


@pytest.mark.slow
def test_a_schedule_can_be_turned_on(deployment: Deployment) -> None:
    start = """mutation ($selector: ScheduleSelector!) {
        startSchedule(scheduleSelector: $selector) {... on ScheduleStateResult {scheduleState {status}}}
    }"""
    selector = {**deployment.repository, "scheduleName": "crm_full_refresh_schedule"}
    started = asked_for(deployment.url, start, selector=selector)["startSchedule"]
    assert started["scheduleState"]["status"] == "RUNNING"


def test_every_setting_is_handed_on_to_steps_in_containers() -> None:
    beside = yaml.safe_load((DEPLOY / "compose.docker.yaml").read_text(encoding="utf-8"))["services"]["code"]
    context = json.loads(beside["environment"]["DAGSTER_CONTAINER_CONTEXT"])["docker"]
    needed = set(SERVICES["code"]["environment"]) - {"CODE_LOCATION_HOST", "CODE_LOCATION_PORT"}
    assert set(context["env_vars"]) == needed


def test_no_file_of_the_deployment_has_a_secret() -> None:
    for variable, value in SERVICES["code"]["environment"].items():
        if re.search("PASSWORD|SECRET|KEY$|KEY_ID", variable):
            assert value.startswith("${"), variable
    for line in (DEPLOY / ".env.example").read_text(encoding="utf-8").splitlines():
        assert not re.match(r"\w*(PASSWORD|KEY)\w*=.", line), line
