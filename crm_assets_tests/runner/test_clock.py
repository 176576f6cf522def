"""The time of a session: all models of a build or a run have the same, also at midnight."""

import time
from datetime import datetime, timedelta, timezone

import dagster as dg
import pytest

from crm_assets.__main__ import main
from crm_assets.assets.models import _time_of
from crm_assets.commands import build as build_command
from crm_assets.runner.unchanged import BuildState, is_current, report_in
from crm_assets_tests.assets.model_runs import execute, run
from crm_assets_tests.runner.model_project import ModelProject

MIDNIGHT = datetime(2026, 3, 1, tzinfo=timezone.utc)
BEFORE = MIDNIGHT - timedelta(seconds=1)
DAILY = "models: [{name: daily, config: {depends_on_today: true}}]"


@pytest.fixture
def clocks(project: ModelProject) -> ModelProject:
    """A view, a snapshot and tables that show the time in each way."""
    project.write("staging/stg_now.sql", "select now() as seen")
    project.write("snapshots/kept.sql", "{% snapshot kept %}select 1 as id{% endsnapshot %}")
    kept = "{name: kept, config: {schema: snapshots, unique_key: id, strategy: check, check_cols: all}}"
    project.write("snapshots/kept.yml", f"snapshots: [{kept}]")
    project.write("marts/first.sql", "select now() as seen, transaction_timestamp() as also, current_date as day")
    project.write(
        "marts/second.sql", "select current_timestamp as seen, get_current_timestamp() as also, today() as day"
    )
    project.write(
        "marts/third.sql", "select localtimestamp as seen, current_localtimestamp() as also, Current_Date as day"
    )
    return project


def test_every_function_of_the_clock_has_the_time(clocks: ModelProject) -> None:
    report_in(clocks.connection, "Pacific/Kiritimati", now=BEFORE)
    for model in clocks.models().values():
        clocks.build(model)

    for mart in ("first", "second", "third"):
        found = clocks.execute(f"select seen::timestamptz, also::timestamptz, day from marts.{mart}")
        assert found == [(BEFORE, BEFORE, BEFORE.date())]
    assert clocks.execute("select dbt_valid_from from snapshots.kept") == [(BEFORE.replace(tzinfo=None),)]


def test_a_view_has_the_time_of_its_reader(clocks: ModelProject) -> None:
    report_in(clocks.connection, "UTC", now=BEFORE)
    clocks.build(clocks.models()["staging.stg_now"])
    report_in(clocks.connection, "UTC")

    [[seen]] = clocks.execute("select seen from staging.stg_now")
    assert seen > MIDNIGHT + timedelta(days=1)


def test_a_model_of_the_day_follows_the_session(project: ModelProject) -> None:
    project.write("marts/daily.sql", "select current_date as day")
    project.write("marts/marts.yml", DAILY)
    daily = project.models()["marts.daily"]
    current = []
    for now in (BEFORE, MIDNIGHT):
        report_in(project.connection, "UTC", now=now)
        current.append(is_current(BuildState.of(project.connection, daily.reads), daily))
        project.build(daily)
        current.append(is_current(BuildState.of(project.connection, daily.reads), daily))
    assert current == [False, True, False, True]


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
def test_a_run_has_one_time_and_the_next_another(clocks: ModelProject) -> None:
    times = []
    for _ in range(2):
        assert run(clocks).success
        times += execute("select seen from marts.first union all select seen from marts.second")
        time.sleep(0.01)

    assert times[0] == times[1] < times[2] == times[3]


def test_a_run_notes_its_time_and_a_re_execution_another() -> None:
    job = dg.GraphDefinition("models").to_job()
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = instance.create_run_for_job(job).run_id
        noted, found = _time_of(instance, run_id), _time_of(instance, run_id)
        run = instance.get_run_by_id(run_id)
        again = instance.create_run_for_job(job, tags=run.tags if run else None)
        assert noted == found < _time_of(instance, again.run_id)


@pytest.mark.slow
@pytest.mark.usefixtures("data_dir")
def test_a_command_has_one_time(clocks: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_command, "load_models", lambda: clocks.models().values())
    assert main(["build"]) == 0

    first, second = execute("select seen from marts.first union all select seen from marts.second")
    assert first == second


def test_a_seed_asks_for_no_time(project: ModelProject) -> None:
    project.write("seeds/targets.csv", "month\n1\n")
    assert not project.models()["seeds.targets"].asks_for_time
