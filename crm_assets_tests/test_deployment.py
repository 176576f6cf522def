"""The deployment of `deploy/`: its commands and files, with processes in place of containers."""

import hashlib
import hmac
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from base64 import b64decode
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
from crm_assets_tests.lake_servers import HOST, LakeServers, postgres_folder
from crm_assets_tests.scripted_crm import scripted_crm

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]

DEPLOY = Path(__file__).parents[1] / "deploy"
IMAGE_HOME = "/opt/dagster/home"
"""Where the image has the files of the Dagster instance."""

SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]
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


PASSWORDS = {"DAGSTER_POSTGRES_PASSWORD": "pg$ecret#1", "LAKE_POSTGRES_PASSWORD": 'it\'s "another" :one \\'}


def create_roles(servers: LakeServers) -> None:
    """What PostgreSQL's image does with the file for it."""
    programs = postgres_folder()
    assert programs is not None
    psql = [str(programs / "psql"), "--no-psqlrc", "--file", str(DEPLOY / "postgres" / "roles.sql")]
    subprocess.run([*psql, "--dbname", servers.dsn("postgres")], env=PASSWORDS, check=True, capture_output=True)


@dataclass(frozen=True)
class Deployment:
    """Everything that the compose file starts, on this machine.

    Attributes:
        url: Of the web server.
        repository: What GraphQL calls the code location's repository.
        settings: Those of the lake and of the CRM.
        folder: Stands for the image's home and Dagster's.
    """

    url: str
    repository: Mapping[str, str]
    settings: Mapping[str, str]
    folder: Path


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
            # Others wait for it, as they would trip over each other in an empty database.
            check = SERVICES[name]["healthcheck"]["test"]
            for port, here_port in ports.items():
                check = check.replace(port, here_port)
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            eventually(
                lambda: (
                    subprocess.run(
                        ["sh", "-c", check], env=environment | here | {"PATH": path}, capture_output=True, check=False
                    ).returncode
                    == 0
                )
            )
            yield
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE)


def folders_of_the_image() -> list[str]:
    """What the image has in Dagster's home."""
    return re.findall(rf" {IMAGE_HOME}/([.\w]+)(?= )", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def deployment(servers: LakeServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Started once for all tests that look at it, in front of a CRM with 70 tasks."""
    folder = tmp_path_factory.mktemp("home")
    for file in ("dagster.yaml", "workspace.yaml"):
        (folder / file).symlink_to(DEPLOY / file)
    for name in folders_of_the_image():
        (folder / name).mkdir()
    create_roles(servers)
    ports = {"3000": free_port(), "4000": free_port()}
    with ExitStack() as until_the_end:
        crm = until_the_end.enter_context(scripted_crm(lists={"open_tasks": tasks(70)}))
        lake = SERVICES["code"]["environment"]["CRM_WAREHOUSE"]
        lake = lake.replace("host=postgres", f"host={HOST} port={servers.postgres_port}")
        settings = servers.new_lake() | {"CRM_WAREHOUSE": lake} | crm.settings()
        values = {
            "DAGSTER_POSTGRES_HOST": HOST,
            "DAGSTER_POSTGRES_PORT": str(servers.postgres_port),
            **{name: SERVICES["web"]["environment"][name] for name in ("DAGSTER_POSTGRES_USER", "DAGSTER_POSTGRES_DB")},
            "DAGSTER_POSTGRES_PASSWORD": PASSWORDS["DAGSTER_POSTGRES_PASSWORD"],
            "PGSSLMODE": "prefer",
            "CODE_LOCATION_HOST": HOST,
            "CODE_LOCATION_PORT": ports["4000"],
            **settings,
        }
        for name in DAGSTERS:
            until_the_end.enter_context(service(name, folder, ports, values))
        url = f"http://{HOST}:{ports['3000']}"
        yield Deployment(url, eventually(lambda: loaded_repository(url)), settings, folder)


def test_the_code_location_is_loaded(deployment: Deployment) -> None:
    query = """query ($selector: RepositorySelector!) {
        repositoryOrError(repositorySelector: $selector) {... on Repository {jobs {name}}}
    }"""
    jobs = asked_for(deployment.url, query, selector=deployment.repository)["repositoryOrError"]["jobs"]
    assert {"crm_full_refresh", "crm_incremental"} <= {job["name"] for job in jobs}


def test_run_launched_by_the_web_server_loads_into_the_lake(
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


def test_the_daemon_is_healthy(deployment: Deployment) -> None:
    query = "{instance {daemonHealth {allDaemonStatuses {daemonType required healthy}}}}"

    def all_well() -> bool:
        daemons = asked_for(deployment.url, query)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return all(daemon["healthy"] for daemon in daemons if daemon["required"])

    assert eventually(all_well)


def test_a_schedule_can_be_turned_on(deployment: Deployment) -> None:
    start = """mutation ($selector: ScheduleSelector!) {
        startSchedule(scheduleSelector: $selector) {... on ScheduleStateResult {scheduleState {status}}}
    }"""
    selector = {**deployment.repository, "scheduleName": "crm_full_refresh_schedule"}
    started = asked_for(deployment.url, start, selector=selector)["startSchedule"]
    assert started["scheduleState"]["status"] == "RUNNING"


@pytest.mark.usefixtures("deployment")
def test_a_role_reaches_its_own_database_only(servers: LakeServers) -> None:
    with psycopg.connect(servers.dsn("postgres")) as connection:
        rights = connection.execute(
            "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles "
            "where rolname in ('dagster', 'lake') order by 1"
        ).fetchall()
        reached = connection.execute(
            "select rolname, datname from pg_roles, pg_database where rolname in ('dagster', 'lake') "
            "and datname in ('dagster', 'lake', 'postgres', 'template1') "
            "and has_database_privilege(rolname, datname, 'connect') order by 1"
        ).fetchall()
        stored: dict[str, str] = dict(connection.execute("select rolname, rolpassword from pg_authid").fetchall())
    assert rights == [(name, False, False, False, False, False) for name in ("dagster", "lake")]
    assert reached == [("dagster", "dagster"), ("lake", "lake")]
    assert is_of(PASSWORDS["DAGSTER_POSTGRES_PASSWORD"], stored["dagster"])
    assert is_of(PASSWORDS["LAKE_POSTGRES_PASSWORD"], stored["lake"])


def is_of(password: str, stored: str) -> bool:
    """Whether PostgreSQL's SCRAM secret is that of a password."""
    iterations, salt, stored_key = re.split(r"[:$]", stored.removeprefix("SCRAM-SHA-256$"))[:3]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b64decode(salt), int(iterations))
    key = hmac.digest(salted, b"Client Key", "sha256")
    return b64decode(stored_key) == hashlib.sha256(key).digest()


def test_services_write_to_their_volumes_only(deployment: Deployment) -> None:
    volumes = {"storage", "data"}
    ours = {"dagster.yaml", "workspace.yaml", *(f"{name}.log" for name in DAGSTERS), *folders_of_the_image()}
    assert {path.name for path in deployment.folder.iterdir()} - ours - volumes == set()
    for name in set(folders_of_the_image()) - volumes:
        assert list((deployment.folder / name).iterdir()) == []
