"""Models are built when their raw tables have changed: the sensor's requests, with real runs between its ticks."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, build_sensor_context
from starlette.responses import PlainTextResponse

from crm_assets.automation.sensors import delete_runs_before
from crm_assets.definitions import defs
from crm_assets_tests.automation.changes import RAW, add_record, below, record
from crm_assets_tests.scripted_crm import ScriptedCrm, always, configured_crm, scripted_crm

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

build_what_changed: Any = defs.resolve_sensor_def("build_what_changed")
RAW_ACCOUNTS, STG_ACCOUNTS = AssetKey(["raw", "accounts"]), AssetKey(["staging", "stg_accounts"])
NOTHING: Counter[str] = Counter()


class Daemon:
    """What Dagster's daemon does: it evaluates the sensor again and again, and runs what it asks for."""

    def __init__(self, instance: DagsterInstance) -> None:
        """Takes Dagster's instance."""
        self.instance = instance
        self._cursor: str | None = None

    def asked_for(self) -> set[str]:
        """One tick: the assets that it would have built."""
        context = build_sensor_context(self.instance, self._cursor)
        request = build_what_changed(context)
        self._cursor = context.cursor
        return {key.to_user_string() for key in getattr(request, "asset_selection", [])}

    def built(self) -> Counter[str]:
        """Some ticks, each with the run that it asks for: how often which asset was built."""
        counted: Counter[str] = Counter()
        for _ in range(4):
            if asked := self.asked_for():
                counted.update(run(self.instance, *asked, job="crm_build"))
        return counted


def run(instance: DagsterInstance, *assets: str, job: str = "__ASSET_JOB") -> list[str]:
    """One run: the assets that it has built."""
    result = defs.resolve_job_def(job).execute_in_process(
        asset_selection=[AssetKey(asset.split("/")) for asset in assets] or None,
        instance=instance,
        raise_on_error=False,
    )
    built = [event.asset_key for event in result.get_asset_materialization_events()]
    return [key.to_user_string() for key in built if key]


@dataclass(frozen=True)
class Installation:
    """A CRM, Dagster's instance, and a data directory in which everything was built once."""

    crm: ScriptedCrm
    instance: DagsterInstance
    data_dir: Path


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One for all tests, since building everything takes long. Each of them leaves models that have followed."""
    folder = tmp_path_factory.mktemp("data")
    with configured_crm(lists={name: [record(1)] for name in RAW}) as crm, DagsterInstance.ephemeral() as instance:
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("CRM_DATA_DIR", str(folder))
            assert below(*(f"raw/{name}" for name in RAW)).keys() < set(run(instance, job="crm_full_refresh"))
        yield Installation(crm, instance, folder)


@pytest.fixture
def instance(built_once: Installation, monkeypatch: pytest.MonkeyPatch) -> DagsterInstance:
    """Dagster's, for one test."""
    monkeypatch.setenv("CRM_DATA_DIR", str(built_once.data_dir))
    return built_once.instance


@pytest.fixture
def daemon(instance: DagsterInstance) -> Daemon:
    return Daemon(instance)


@pytest.fixture
def crm(built_once: Installation) -> ScriptedCrm:
    return built_once.crm


def test_models_are_built_once_after_a_change_only(crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon) -> None:
    run(instance, "raw/open_tasks")
    assert daemon.built() == NOTHING
    add_record(crm, "open_tasks")
    run(instance, "raw/open_tasks")
    assert daemon.built() == below("raw/open_tasks")
    run(instance, "raw/open_tasks")
    assert daemon.built() == NOTHING


def test_models_are_built_once_if_two_tables_change(
    crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon
) -> None:
    for resource in ("accounts", "won_deals"):
        add_record(crm, resource)
        run(instance, f"raw/{resource}")
    assert daemon.built() == below("raw/accounts", "raw/won_deals")


def test_models_built_by_a_job_are_not_built_again(crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon) -> None:
    add_record(crm, "open_tasks")
    assert below("raw/open_tasks").keys() - {"reports/sales_review"} < set(run(instance, job="open_tasks_sync"))
    assert set(daemon.built()) == {"reports/sales_review"}


def test_change_right_after_a_build_is_seen(crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon) -> None:
    """Both lie between the same two ticks."""
    add_record(crm, "open_tasks")
    run(instance, job="open_tasks_sync")
    add_record(crm, "open_tasks")
    run(instance, "raw/open_tasks")
    assert daemon.built() == below("raw/open_tasks")


def test_failed_table_does_not_block_models_of_other_tables(
    crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon
) -> None:
    for resource in ("accounts", "contacts"):
        add_record(crm, resource)
    crm.faults.append(always("contacts", lambda: PlainTextResponse("no", 403)))
    run(instance, "raw/accounts", "raw/contacts")
    crm.faults.clear()
    assert daemon.built() == below("raw/accounts")


def test_models_wait_for_tables_that_are_being_read(
    crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon
) -> None:
    add_record(crm, "accounts")
    reading = instance.create_run_for_job(
        defs.resolve_job_def("contacts_sync").get_subset(asset_selection={AssetKey(["raw", "contacts"])}),
        status=DagsterRunStatus.STARTED,
        asset_selection=frozenset({AssetKey(["raw", "contacts"])}),
    )
    run(instance, "raw/accounts")
    affected = below("raw/accounts")
    waiting = affected & below("raw/contacts")
    assert daemon.built() == affected - waiting
    instance.report_run_canceled(reading)
    assert daemon.built() == waiting


def test_models_wait_until_a_blocking_check_passes(
    crm: ScriptedCrm, instance: DagsterInstance, daemon: Daemon, built_once: Installation
) -> None:
    database = built_once.data_dir / "crm.duckdb"
    with duckdb.connect(database) as connection:
        connection.execute("insert into raw.accounts select accounts.* replace (99 as id) from raw.accounts, range(2)")
    add_record(crm, "accounts")
    add_record(crm, "open_tasks")
    run(instance, "raw/accounts", "raw/open_tasks")
    # The report and the published copy have both, and so are built twice.
    shown = Counter(["reports/sales_review", "published/database"])
    assert daemon.built() == below("raw/open_tasks") - below("raw/accounts") + shown
    with duckdb.connect(database) as connection:
        connection.execute("delete from raw.accounts where id = 99")
    run(instance, "raw/accounts")
    assert daemon.built() == below("raw/accounts")


def test_deleting_old_runs_builds_nothing_and_hides_no_change(crm: ScriptedCrm, instance: DagsterInstance) -> None:
    for _ in range(2):
        run(instance, "raw/open_tasks")
    daemon = Daemon(instance)
    checks = defs.resolve_asset_graph().asset_check_keys
    assert delete_runs_before(instance, datetime.now(timezone.utc) + timedelta(days=1), checks) > 0
    assert daemon.built() == NOTHING
    assert Daemon(instance).built() == NOTHING
    add_record(crm, "open_tasks")
    run(instance, "raw/open_tasks")
    assert daemon.built() == below("raw/open_tasks")


def test_models_follow_a_switch_to_another_crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each database counts its loads from 1, and Dagster has one history of an asset."""
    accounts = {"accounts": [record(1)]}
    with DagsterInstance.ephemeral() as instance, scripted_crm(lists=accounts) as a, scripted_crm(lists=accounts) as b:
        daemon = Daemon(instance)
        for number, crm in enumerate((a, b, a)):
            for name, value in (crm.settings() | {"CRM_DATA_DIR": str(tmp_path / f"{number % 2}")}).items():
                monkeypatch.setenv(name, value)
            run(instance, "raw/accounts")
            assert "staging/stg_accounts" in daemon.built()
            for key in (RAW_ACCOUNTS, STG_ACCOUNTS):
                event = instance.get_latest_materialization_event(key)
                assert event is not None
                assert event.asset_materialization is not None
                assert event.asset_materialization.metadata["crm/source"].value == crm.base_url


NAMES = ("deal_stages", "names", "users")
"""Staging models of what stands beside records: they wait for no list."""


def test_a_model_waits_until_all_that_it_reads_is_there() -> None:
    with DagsterInstance.ephemeral() as instance, configured_crm(lists={name: [record(1)] for name in RAW}):
        daemon = Daemon(instance)
        run(instance, "raw/open_tasks")
        others = below(*(f"raw/{name}" for name in RAW if name != "open_tasks"))
        on_their_own = Counter(
            ["seeds/owner_targets", "seeds/sandbox_targets", *(f"staging/stg_{name}" for name in NAMES)]
        )
        assert daemon.built() == below("raw/open_tasks") - others + on_their_own
