"""The running deployment, as its web server shows it."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from dagster_graphql import DagsterGraphQLClient

from crm_assets_tests.deployment.compose import DAGSTERS, DEPLOY, SERVICES, Host, Service
from crm_assets_tests.lake_servers import HOST, LakeServers, free_port, lake_servers, postgres_folder
from crm_assets_tests.waiting import eventually

PASSWORDS = {"DAGSTER_POSTGRES_PASSWORD": "pg$ecret#1", "LAKE_POSTGRES_PASSWORD": 'it\'s "another" :one \\'}
TICKING = "open_tasks_schedule"
"""The schedule that is on."""


@dataclass(frozen=True)
class Deployment:
    """Everything that the compose file starts, on this machine.

    Attributes:
        url: Of the web server.
        repository: What GraphQL calls the code location's repository.
        lake: The settings of the lake.
        services: Those of Dagster.
        host: What they run on.
    """

    url: str
    repository: Mapping[str, str]
    lake: Mapping[str, str]
    services: Mapping[str, Service]
    host: Host

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of the web server's answer."""
        return asked_for(self.url, query, **variables)

    def submit(self, job: str, *assets: str) -> str:
        """Asks for a run of a job, or of some assets: the run's id."""
        client = DagsterGraphQLClient(HOST, port_number=int(self.url.rpartition(":")[2]))
        keys = [asset.split("/") for asset in assets] or None
        return client.submit_job_execution(
            job,
            repository_location_name=self.repository["repositoryLocationName"],
            repository_name=self.repository["repositoryName"],
            asset_selection=keys,
        )

    def start_schedule(self, name: str) -> None:
        """Turns a schedule on."""
        start = """mutation ($selector: ScheduleSelector!) {
            startSchedule(scheduleSelector: $selector) {... on ScheduleStateResult {scheduleState {status}}}
        }"""
        started = self.ask(start, selector={**self.repository, "scheduleName": name})["startSchedule"]
        assert started["scheduleState"]["status"] == "RUNNING"

    def runs(self, **tags: str) -> list[dict[str, str]]:
        """The id and the status of each run with these tags of Dagster, the newest first."""
        query = "query ($filter: RunsFilter!) {runsOrError(filter: $filter) {... on Runs {results {runId status}}}}"
        wanted = [{"key": f"dagster/{name}", "value": value} for name, value in tags.items()]
        found: list[dict[str, str]] = self.ask(query, filter={"tags": wanted})["runsOrError"]["results"]
        return found

    def events(self, run: str) -> Iterator[tuple[str, str]]:
        """Type and message of what a run has logged."""
        query = """query ($run: ID!) {logsForRun(runId: $run) {... on EventConnection {
            events {... on MessageEvent {eventType message}}
        }}}"""
        for event in self.ask(query, run=run)["logsForRun"]["events"]:
            yield event["eventType"], event["message"]

    def status(self, run: str) -> str:
        """How far a run is."""
        query = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
        return str(self.ask(query, run=run)["runOrError"]["status"])

    def end_of(self, run: str) -> str:
        """Waits for the end of a run: how it has ended."""

        def ended() -> str:
            now = self.status(run)
            return now if now in {"SUCCESS", "FAILURE", "CANCELED"} else ""

        return eventually(ended)


def asked_for(url: str, query: str, **variables: Any) -> Any:
    """The answer's data."""
    answer = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


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


def create_roles(servers: LakeServers) -> None:
    """What PostgreSQL's image does with the file for it."""
    programs = postgres_folder()
    assert programs is not None
    psql = [str(programs / "psql"), "--no-psqlrc", "--file", str(DEPLOY / "postgres" / "roles.sql")]
    subprocess.run([*psql, "--dbname", servers.dsn("postgres")], env=PASSWORDS, check=True, capture_output=True)


@contextmanager
def deployed(host: Host, more: Mapping[str, str]) -> Iterator[Deployment]:
    """All services on a host, with more variables of the code location than the compose file has.

    Servers of its own keep what another deployment has done out of its storage.
    """
    if postgres_folder() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    ports = {"3000": str(free_port()), "4000": str(free_port())}
    with ExitStack() as until_the_end:
        storage = until_the_end.enter_context(lake_servers())
        create_roles(storage)
        lake = lake_settings(storage)
        values = {**postgres_settings(storage), **lake, "CODE_LOCATION_HOST": HOST, "CODE_LOCATION_PORT": ports["4000"]}
        services = {name: Service(name, ports, values, more if name == "code" else {}) for name in DAGSTERS}
        for service in services.values():
            # Others wait for it, as they would trip over each other in an empty database.
            until_the_end.enter_context(host.run(service))
        url = f"http://{HOST}:{ports['3000']}"
        yield Deployment(url, eventually(lambda: loaded_repository(url)), lake, services, host)


def lake_settings(storage: LakeServers) -> dict[str, str]:
    """The compose file's lake, in an empty bucket."""
    address = SERVICES["code"]["environment"]["CRM_WAREHOUSE"]
    here = address.replace("host=postgres", f"host={HOST} port={storage.postgres_port}")
    return storage.new_lake() | {"CRM_WAREHOUSE": here, "PGPASSWORD": PASSWORDS["LAKE_POSTGRES_PASSWORD"]}


def postgres_settings(storage: LakeServers) -> dict[str, str]:
    """The compose file's storage of Dagster, on this machine."""
    composed = SERVICES["web"]["environment"]
    return {
        "DAGSTER_POSTGRES_HOST": HOST,
        "DAGSTER_POSTGRES_PORT": str(storage.postgres_port),
        "DAGSTER_POSTGRES_USER": composed["DAGSTER_POSTGRES_USER"],
        "DAGSTER_POSTGRES_PASSWORD": PASSWORDS["DAGSTER_POSTGRES_PASSWORD"],
        "DAGSTER_POSTGRES_DB": composed["DAGSTER_POSTGRES_DB"],
        "PGSSLMODE": "prefer",
    }
