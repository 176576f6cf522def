"""Several CRMs in one code location: each has its own names, settings and database."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    RunRequest,
    build_defs_for_component,
    build_run_status_sensor_context,
)
from requests import Session

from crm_assets.api import ENDPOINTS
from crm_assets.components import CrmComponent
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.sandbox.client import Client
from crm_assets_tests.several_crms import NAMES, SeveralCrms, assets, definitions, run, several_crms

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "several_crms.md"


@pytest.fixture(scope="module")
def first() -> Definitions:
    """The definitions of the CRM without a name."""
    return build_defs_for_component(CrmComponent())


@pytest.fixture
def crms(tmp_path: Path) -> Iterator[SeveralCrms]:
    """Three CRMs, with their settings in the working folder."""
    with several_crms(tmp_path) as crms:
        yield crms


def test_each_crm_has_all_assets_under_its_name(first: Definitions) -> None:
    of_three = definitions().resolve_asset_graph().get_all_asset_keys()
    assert of_three == {
        AssetKey([name, *key.path]) for name in NAMES for key in first.resolve_asset_graph().get_all_asset_keys()
    }


def test_jobs_schedules_and_sensors_have_the_name(first: Definitions) -> None:
    expected = {f"{crm}_{name}" for crm in NAMES for name in names_in(first)}
    assert names_in(definitions()) == expected


def names_in(code_location: Definitions) -> set[str]:
    """The names of all jobs, schedules and sensors."""
    found = [*code_location.resolve_all_job_defs(), *(code_location.schedules or []), *(code_location.sensors or [])]
    return {each.name for each in found} - {"__ASSET_JOB"}


def test_job_has_only_assets_of_its_crm(first: Definitions) -> None:
    of_first = {job.name: job.asset_layer.selected_asset_keys for job in first.resolve_all_job_defs()}
    of_three = {job.name: job.asset_layer.selected_asset_keys for job in definitions().resolve_all_job_defs()}
    for name in ("crm_full_refresh", "crm_incremental", "accounts_sync", "publish"):
        assert of_three[f"south_{name}"] == {AssetKey(["south", *key.path]) for key in of_first[name]}


def test_asset_depends_on_assets_of_its_crm() -> None:
    for spec in definitions().resolve_all_asset_specs():
        name, layer, *table = spec.key.path
        assert spec.group_name == f"{name}_{layer}"
        assert {dep.asset_key.path[0] for dep in spec.deps} <= {name}
        if layer not in {"reports", "published"}:
            assert spec.metadata["dagster/table_name"] == f"{layer}.{table[0]}"


@dataclass(frozen=True)
class Ran:
    """A run of three CRMs, of which the key of one is wrong."""

    crms: SeveralCrms
    data_dir: Path
    result: ExecuteInProcessResult


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    folder = tmp_path_factory.mktemp("several")
    with several_crms(folder) as crms:
        crms.write(south="wrong")
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.chdir(folder)
            use_data_dir(monkeypatch, folder / "data")
            result = run(assets(*(f"{name}/marts/account_overview" for name in NAMES)).upstream())
            run(assets("north/published/database", "west/published/database"))
        yield Ran(crms, folder / "data", result)


@pytest.mark.long
def test_failed_crm_does_not_affect_the_others(ran: Ran) -> None:
    failures = {event.step_key: event.step_failure_data for event in ran.result.all_events if event.is_step_failure}
    assert failures.keys() == {f"south__raw__{resource}" for resource in ENDPOINTS}
    failed = failures["south__raw__accounts"].user_failure_data
    assert failed is not None
    assert "Check SOURCES__SOUTH__API_KEY" in str(failed.description)

    for name in ("north", "west"):
        built = rows("select account_id from marts.account_overview", ran.data_dir / f"{name}.duckdb")
        assert {id_ for (id_,) in built} - {None} == ids(ran.crms, name)
        address = rows("select distinct base_url from raw.sync_details", ran.data_dir / f"{name}.duckdb")
        assert address == [(ran.crms.servers[name].base_url,)]
    published = {file.name for file in ran.data_dir.glob("*.published.duckdb")}
    assert published == {f"{name}.published.duckdb" for name in ("north", "west")}
    assert not (ran.data_dir / "crm.duckdb").exists()


def ids(crms: SeveralCrms, crm: str) -> set[int]:
    """The ids of the accounts that a CRM lists."""
    with Session() as session:
        return {account["id"] for account in Client(crms.servers[crm], session).read("/v1/accounts")}


@pytest.mark.file
def test_databases_are_queried_together(ran: Ran) -> None:
    """With the statements of the page about several CRMs."""
    [attach, query] = re.findall(r"```sql\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    with duckdb.connect() as connection:
        connection.execute(attach.replace("data/", f"{ran.data_dir}/").replace("south", "west"))
        found = dict(connection.execute(query.replace("south", "west")).fetchall())
    accounts = {name: len(ids(ran.crms, name)) for name in ("north", "west")}
    assert found == accounts | {"west": accounts["west"] + 1}


def test_failed_run_publishes_the_crms_it_loaded(crms: SeveralCrms) -> None:
    crms.write(south="wrong")
    asked = {}
    with DagsterInstance.ephemeral() as instance:
        result = run(assets("south/raw/accounts", "west/raw/accounts"), instance)
        [failure] = [event for event in result.all_events if event.event_type is DagsterEventType.RUN_FAILURE]
        for name in NAMES:
            sensor: Any = definitions().resolve_sensor_def(f"{name}_publish_after_failed_runs")
            context = build_run_status_sensor_context(sensor.name, failure, instance, result.dagster_run)
            asked[name] = isinstance(sensor(context.for_run_failure()), RunRequest)
    assert asked == {"north": False, "south": False, "west": True}
