"""A running `dagster dev`: a schedule ticks, the table changes, models follow, and nobody clicks."""

from collections import Counter
from collections.abc import Iterator

import pytest
from dagster import AssetKey, DagsterRunStatus

from crm_assets.definitions import defs
from crm_assets_tests.automation.changes import RAW, add_record, below, record
from crm_assets_tests.dagster_dev import HOME, DagsterDev, dagster_dev, wait_for_run
from crm_assets_tests.scripted_crm import ScriptedCrm, scripted_crm
from crm_assets_tests.waiting import eventually

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(1800)]

ASSETS = [key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys]
TASKS, SENSOR = "raw/open_tasks", "build_what_changed"
REPOSITORY = defs.get_repository_def().name


@pytest.fixture(scope="module")
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with one record in each list."""
    with scripted_crm(lists={name: [record(1)] for name in RAW}) as crm:
        yield crm


@pytest.fixture(scope="module")
def dev(crm: ScriptedCrm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterDev]:
    """`dagster dev` for this CRM, whose tasks are read every five minutes."""
    project = tmp_path_factory.mktemp("project")
    settings = crm.settings() | {"SOURCES__CRM__ENDPOINTS__OPEN_TASKS__CADENCE_MINUTES": "5"}
    (project / ".env").write_text("\n".join(f"{name}={value}" for name, value in settings.items()), encoding="utf-8")
    with dagster_dev(project) as dev:
        yield dev


def builds(dev: DagsterDev) -> Counter[str]:
    """How often each asset was materialized."""
    with dev.instance() as instance:
        return Counter(
            {asset: len(instance.fetch_materializations(AssetKey(asset.split("/")), 100).records) for asset in ASSETS}
        )


def wait_for_automation(dev: DagsterDev) -> None:
    """Waits until the automation sensor has looked at all that there is, and no run is left to do."""
    dev.wait_for_ticks(SENSOR, 3)
    with dev.instance() as instance:
        eventually(lambda: all(run.is_finished for run in instance.get_runs()))


def test_models_are_built_once_per_read_with_changes(dev: DagsterDev, crm: ScriptedCrm) -> None:
    assert wait_for_run(dev, dev.submit("crm_full_refresh")) is DagsterRunStatus.SUCCESS
    wait_for_automation(dev)
    once = Counter(ASSETS)
    assert builds(dev) == once

    add_record(crm, "open_tasks")
    dev.run("schedule", "start", "--workspace", "workspace.yaml", "open_tasks_schedule")
    eventually(lambda: builds(dev)[TASKS] == 2)
    dev.run("schedule", "stop", "--workspace", "workspace.yaml", "open_tasks_schedule")
    wait_for_automation(dev)
    followed = once + below(TASKS) + Counter([TASKS])
    assert builds(dev) == followed

    assert wait_for_run(dev, dev.submit("open_tasks_sync", TASKS)) is DagsterRunStatus.SUCCESS
    wait_for_automation(dev)
    assert builds(dev) == followed + Counter([TASKS])


def test_sensors_store_little(dev: DagsterDev) -> None:
    """Evaluations of automation conditions, and a log for each tick, were 150 MB a day."""
    with dev.instance() as instance:
        assert instance.schedule_storage is not None
        model = AssetKey(["staging", "stg_accounts"])
        assert instance.schedule_storage.get_auto_materialize_asset_evaluations(model, limit=1) == []
    assert list((dev.project / HOME / "storage" / REPOSITORY).glob("build_what_changed/*")) == []
