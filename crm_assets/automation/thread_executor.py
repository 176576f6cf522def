"""Executes a run's steps on threads of one process, so that the CRM is read while DuckDB loads and models are built.

Dagster's own executors run one step after the other, or each in a process of its own, which takes two seconds to start.
What steps share bears threads: dlt keeps its contexts by thread, requests queue in one place for all reads
(`source/http/limits.py`), and the database is written by one at a time (`warehouse/lock.py`).
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

from dagster import DagsterEvent, Executor, InitExecutorContext, executor
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
    StepExecutionContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._utils.timing import time_execution_scope
from dagster_shared.utils.timing import format_duration

THREADS = 3
"""Steps at a time: while one loads, two read. More of them contend for Python's interpreter lock."""

LOOK_EVERY = 0.2
"""Seconds between two looks whether the run is to end, or the time has come for a step to be tried again."""


class StepThread(Thread):
    """A step on a thread of its own. It puts its events into the run's queue, and at the end None."""

    def __init__(self, context: StepExecutionContext, events: "Events") -> None:
        """Does not start yet."""
        super().__init__(name=context.step.key, daemon=True)
        self.error: BaseException | None = None
        self._context = context
        self._events = events

    def run(self) -> None:
        """Executes the step; what it raises beyond its events is in `error`."""
        try:
            for event in dagster_event_sequence_for_step(self._context):
                self._events.put((self, event))
        except BaseException as error:  # noqa: BLE001 # raised by the run's own thread
            self.error = error
        finally:
            self._events.put((self, None))

    def interrupt(self) -> None:
        """Raises in the step, at its next line of Python, what Dagster's executors raise in theirs."""
        if self.ident is not None:
            raised = ctypes.py_object(DagsterExecutionInterruptedError)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), raised)


Events: TypeAlias = "SimpleQueue[tuple[StepThread, DagsterEvent | None]]"


class ThreadExecutor(Executor):
    """Runs steps as soon as what they depend on is there, some at a time. Knows no hooks, as this project has none."""

    @property
    def retries(self) -> RetryMode:
        """Steps are tried again as their retry policies say."""
        return RetryMode.ENABLED

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        """Yields the run's events while it goes on."""
        told = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield DagsterEvent.engine_event(plan_context, f"Executing steps on threads (pid: {os.getpid()})", told)
        context = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=plan_context.execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )
        with time_execution_scope() as took:
            yield from ExecuteRunWithPlanIterable(plan_context.execution_plan, _logged_steps, context)
        yield DagsterEvent.engine_event(plan_context, f"Finished steps in {format_duration(took.millis)}", told)


def _logged_steps(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
    logs = job_context.instance.compute_log_manager
    log_key = logs.build_log_key_for_run(job_context.run_id, create_compute_log_file_key())  # type: ignore[no-untyped-call]
    keys = [step.key for step in execution_plan.get_steps_to_execute_in_topo_order()]
    with ExitStack() as stack:
        yield DagsterEvent.capture_logs(job_context, keys, log_key, stack.enter_context(logs.capture_logs(log_key)))
        concurrency = InstanceConcurrencyContext(job_context.instance, job_context.dagster_run)
        active = execution_plan.start(
            retry_mode=job_context.retry_mode,
            max_concurrent=THREADS,
            instance_concurrency_context=stack.enter_context(concurrency),
            step_dependency_config=job_context.step_dependency_config,
        )
        yield from _steps(job_context, stack.enter_context(active))


def _steps(job_context: PlanExecutionContext, active: ActiveExecution) -> Iterator[DagsterEvent]:
    events: Events = SimpleQueue()
    running: list[StepThread] = []
    errors: list[BaseException] = []
    try:
        while running or not (errors or active.is_complete):
            if active.check_for_interrupts():
                active.mark_interrupted()
                errors.append(DagsterExecutionInterruptedError())
                for other in running:
                    other.interrupt()
            for step in [] if errors else active.get_steps_to_execute():
                running.append(StepThread(job_context.for_step(step, active.get_known_state()), events))
                running[-1].start()
            yield from active.concurrency_event_iterator(job_context)
            thread, event = _next(events, running)
            if event is not None:
                yield event
                active.handle_event(event)
            elif thread in running:
                running.remove(thread)
                if thread.name not in {other.name for other in running}:  # else it is being tried again already
                    active.verify_complete(job_context, thread.name)
                yield from active.plan_events_iterator(job_context)
                errors += [thread.error] if thread.error else []
    finally:
        for other in running:
            other.interrupt()
            other.join()
    if errors:
        raise errors[0]


def _next(events: "Events", running: list[StepThread]) -> tuple[StepThread | None, DagsterEvent | None]:
    """An event, or a thread that has ended, or neither for now."""
    with suppress(Empty):
        return events.get(timeout=LOOK_EVERY)
    # One that was interrupted in its last line had no time to say so.
    return next((thread for thread in running if not thread.is_alive()), None), None


@executor(name="threads")
def thread_executor(_: InitExecutorContext) -> ThreadExecutor:
    """Executes all steps on threads of one process."""
    return ThreadExecutor()
