"""Steps run at the same time where they can, and as Dagster's own executors would have it in all other respects."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dagster import (
    DagsterInstance,
    Failure,
    In,
    JobDefinition,
    JobExecutionResult,
    Nothing,
    RetryPolicy,
    execute_job,
    job,
    op,
    reconstructable,
)

from crm_assets.automation.thread_executor import THREADS, thread_executor

together = threading.Barrier(2, timeout=10)
at_work: list[int] = []
tries: list[int] = []


@op
def meets() -> None:
    together.wait()


@job(executor_def=thread_executor)
def meeting() -> None:
    meets.alias("one")()
    meets.alias("other")()


@op
def works() -> int:
    at_work.append(1)
    busy = len(at_work)
    time.sleep(0.05)
    at_work.pop()
    return busy


@job(executor_def=thread_executor)
def much_work() -> None:
    for number in range(2 * THREADS):
        works.alias(f"works_{number}")()


@op(retry_policy=RetryPolicy(max_retries=2))
def succeeds_at_last() -> None:
    tries.append(1)
    if len(tries) <= 2:
        raise RuntimeError("not yet")


@op
def fails() -> None:
    raise Failure("for good", allow_retries=False)


@op(ins={"after": In(Nothing)})
def follows() -> None:
    pass


@job(executor_def=thread_executor)
def some_fail() -> None:
    follows.alias("follows_failure")(fails())
    follows.alias("follows_success")(succeeds_at_last())


@contextmanager
def executed(definition: JobDefinition) -> Iterator[JobExecutionResult]:
    with DagsterInstance.ephemeral() as instance, execute_job(reconstructable(definition), instance) as result:
        yield result


def test_steps_that_do_not_need_each_other_run_at_the_same_time() -> None:
    with executed(meeting) as result:
        assert result.success


def test_no_more_steps_run_at_a_time_than_there_are_threads() -> None:
    with executed(much_work) as result:
        assert max(result.output_for_node(f"works_{number}") for number in range(2 * THREADS)) == THREADS


def test_a_failure_keeps_from_running_what_needs_it_and_nothing_else() -> None:
    tries.clear()
    with executed(some_fail) as result:
        assert not result.success
        ended = {event.step_key: event.event_type_value for event in result.all_node_events if event.is_step_event}
    assert ended == {"fails": "STEP_FAILURE", "succeeds_at_last": "STEP_SUCCESS", "follows_success": "STEP_SUCCESS"}


def test_a_step_is_tried_again_as_its_policy_says() -> None:
    tries.clear()
    with executed(some_fail):
        pass
    assert len(tries) == 3
