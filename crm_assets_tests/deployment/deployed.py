"""The running deployment, as its web server shows it."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from dagster_graphql import DagsterGraphQLClient

from crm_assets_tests.deployment.compose import DEPLOY, Host, Service, eventually
from crm_assets_tests.lake_servers import HOST, LakeServers, postgres_folder

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

    def status(self, run: str) -> str:
        """How far a run is."""
        query = "query ($run: ID!) {runOrError(runId: $run) {... on Run {status}}}"
        return str(self.ask(query, run=run)["runOrError"]["status"])

    def end_of(self, run: str) -> str:
        """Waits for the end of a run: how it has ended."""

        def ended() -> str:
            now = self.status(run)
            return now if now in {"SUCCESS", "FAILURE", "CANCELED"} else ""

        return str(eventually(ended))


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
