"""Undocumented behaviour of Dagster that `dagster_internals.py` uses. A failure names what an upgrade has changed."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckSpec,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    DagsterEventType,
    DagsterInstance,
    DataVersion,
    MaterializeResult,
    asset,
    execute_job,
    job,
    materialize,
    multi_asset,
    op,
    reconstructable,
)

from crm_assets.console import EVENT_LINES
from crm_assets.dagster_internals import FailuresOnly, is_built_from, latest_evaluations, process_ended


@contextmanager
def attempts(error: Callable[[], BaseException]) -> Iterator[list[int]]:
    """How often Dagster starts an op with one more try, if it ends with this error."""
    made: list[int] = []

    @op(retry_policy=FailuresOnly(max_retries=1))
    def failing() -> None:
        made.append(len(made) + 1)
        raise error()

    @job
    def alone() -> None:
        failing()

    try:
        with DagsterInstance.ephemeral() as instance:
            alone.execute_in_process(instance=instance, raise_on_error=False)
    except KeyboardInterrupt:
        pass
    yield made


def test_dagster_asks_for_a_delay_inside_the_except_block() -> None:
    with attempts(lambda: ValueError("a failure")) as made:
        assert made == [1, 2], "Dagster: calculate_delay of a policy derived from RetryPolicy no longer decides"
    with attempts(KeyboardInterrupt) as made:
        assert made == [1], (
            "Dagster: an op that was interrupted is tried again, since calculate_delay of its retry policy is no "
            "longer called in the except block of the interrupt"
        )


@op(retry_policy=FailuresOnly(max_retries=1))
def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@job
def with_a_killed_step() -> None:
    killed()


@pytest.mark.slow
def test_dagster_names_the_end_of_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])  # where the process finds this module
    config: dict[str, Any] = {"execution": {"config": {"multiprocess": {}}}}
    with (
        DagsterInstance.local_temp(str(tmp_path)) as instance,
        execute_job(reconstructable(with_a_killed_step), instance, run_config=config) as result,
    ):
        ended = [event for event in result.all_events if event.is_step_failure or event.is_step_up_for_retry]
    assert [process_ended(event) for event in ended] == [True, True], (
        "Dagster: the error of a step whose process was killed is no longer a ChildProcessCrashException"
    )
    retried, failed = (EVENT_LINES[event.event_type](event) for event in ended)
    assert retried.endswith(" s: its process was killed, or crashed")
    assert failed.endswith("failed: its process was killed, or crashed")


def source_and_model(source: str, code: str = "1") -> list[AssetsDefinition]:
    """An asset of a data version, and one that is built from it."""

    @asset(name="source")
    def loaded() -> MaterializeResult:  # type: ignore[type-arg]
        return MaterializeResult(data_version=DataVersion(source))

    @asset(name="model", deps=[loaded], code_version=code)
    def built() -> None:
        pass

    return [loaded, built]


def test_dagster_tags_materializations_with_versions() -> None:
    source, model = AssetKey("source"), AssetKey("model")
    with DagsterInstance.ephemeral() as instance:

        def is_current(code: str) -> bool:
            [read, made] = [instance.get_latest_materialization_event(key) for key in (source, model)]
            return is_built_from(made, code, {source: read} if read else {})

        assert not is_current("1")
        materialize(source_and_model("1"), instance=instance)
        assert is_current("1"), "Dagster: a materialization has no tags any more with the versions it was built from"
        assert not is_current("2"), "Dagster: a materialization has no tag any more with its code's version"
        materialize(source_and_model("2"), selection=["source"], instance=instance)
        assert not is_current("1"), "Dagster: a materialization has no tag any more with its data version"


def test_dagster_stores_results_of_checks_that_were_not_selected() -> None:
    key = AssetKey("table")
    check = AssetCheckKey(key, "rows")

    @multi_asset(specs=[AssetSpec(key)], check_specs=[AssetCheckSpec("rows", asset=key)], can_subset=True)
    def reporting() -> Iterator[AssetCheckEvaluation | MaterializeResult]:  # type: ignore[type-arg]
        yield AssetCheckEvaluation(key, "rows", False)
        yield MaterializeResult(asset_key=key)

    with DagsterInstance.ephemeral() as instance:
        assert latest_evaluations(instance, [check]) == {}
        run = materialize([reporting], instance=instance, selection=AssetSelection.all().without_checks())
        planned = instance.all_logs(run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)
        found = latest_evaluations(instance, [check])
    assert not planned
    assert [(key, result.passed, run_id) for key, (result, run_id) in found.items()] == [(check, False, run.run_id)]
