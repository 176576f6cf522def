"""What a job prints: its lines, and the progress of its reads, which cannot disturb them."""

import logging
import re
import sys
from unittest.mock import Mock

import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.console import ConsoleHandler, ReadProgress, described
from crm_assets.definitions import defs
from crm_assets.source.reading.report import Progress
from crm_assets_tests.scripted_crm import always, configured_crm, failing, json_response, tasks
from crm_assets_tests.source import source_reads

TIME = r"\d\d:\d\d:\d\d"


def console_lines(resource: str, capsys: pytest.CaptureFixture[str], *others: str) -> list[str]:
    """Lines of a job that reads one resource, or several."""
    capsys.readouterr()
    with DagsterInstance.ephemeral() as instance:
        defs.resolve_job_def("crm_full_refresh").execute_in_process(
            asset_selection=[AssetKey(["raw", each]) for each in (resource, *others)],
            instance=instance,
            raise_on_error=False,
        )
    return capsys.readouterr().err.splitlines()


@pytest.mark.slow
def test_a_read_is_one_line_with_counts_seconds_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        read, ended = console_lines("open_tasks", capsys)
    assert re.fullmatch(
        rf"{TIME} open_tasks: 3 records in 2 requests \(full\); read in [\d.]+ s, loaded in [\d.]+ s; 5 checks passed",
        read,
    )
    assert re.fullmatch(f"{TIME} Run succeeded", ended)


@pytest.mark.slow
def test_a_failed_check_makes_the_line_a_warning_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1, "undeclared": "secret of a record"}]}):
        read, *_ = console_lines("open_tasks", capsys)
    assert re.match(f"{TIME} WARNING open_tasks: 1 record in [12] requests? ", read)
    assert read.endswith("1 of 5 checks failed: declared_schema")


@pytest.mark.slow
def test_a_failure_is_one_line_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm() as crm:
        crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))
        lines = console_lines("open_tasks", capsys)
    [failed] = [line for line in lines if "raw__open_tasks failed" in line]
    assert re.match(f"{TIME} ERROR raw__open_tasks failed: open_tasks, page 1: status 403, 'Not yours'", failed)
    assert "Run failed" in lines[-1]


@pytest.mark.slow
def test_a_reason_of_several_failures_is_shown_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "many")
    lines = console_lines("open_tasks", capsys, "accounts")
    shown = [line.partition(" failed")[2] for line in lines if "ERROR raw__" in line]
    assert [text.partition(" sources")[0] for text in shown] == [": Setting", " for the same reason"]


@pytest.mark.slow
def test_steps_that_a_failure_leaves_out_have_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm() as crm, DagsterInstance.ephemeral() as instance:
        crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))
        job = defs.resolve_job_def("open_tasks_sync")
        left_out = [AssetKey(["raw", "open_tasks"]), AssetKey(["staging", "stg_open_tasks"])]
        job.execute_in_process(instance=instance, asset_selection=left_out, raise_on_error=False)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ", 3)[2] for line in lines if re.match(f"{TIME} ERROR", line)] == ["raw__open_tasks", "Run"]


@pytest.mark.slow
def test_a_retry_is_announced_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_ATTEMPTS", "1")
    with configured_crm(lists={"open_tasks": tasks(1)}) as crm:
        crm.faults.append(failing("open_tasks", page=1, answers=[json_response({}, 503)]))
        again, read, _ = console_lines("open_tasks", capsys)
    assert re.match(rf"{TIME} raw__open_tasks failed and is retried in \d+ s: .*open_tasks, page 1: status 503", again)
    assert "open_tasks: 1 record in " in read


@pytest.mark.slow
def test_progress_of_a_read_is_logged(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "2")
    monkeypatch.setattr("crm_assets.console.SECONDS_BETWEEN_LINES", 0)
    with configured_crm(lists={"open_tasks": tasks(5)}):
        *progress, _, _ = console_lines("open_tasks", capsys)
    assert [re.sub(r"[\d,.]+ per second, \d+ s left", "…", line.split(" ", 1)[1]) for line in progress] == [
        "open_tasks: page 1 of 3, 2 of 5 records, …",
        "open_tasks: page 2 of 3, 4 of 5 records, …",
        "open_tasks: page 3 of 3, 5 of 5 records, …",
    ]


@pytest.mark.parametrize(
    ("progress", "waits", "expected"),
    [
        (Progress(3, 10, 1500, 5000, 0), 0, "page 3 of 10, 1,500 of 5,000 records, 150 per second, 23 s left"),
        (Progress(3, None, 1500, None, 0), 0, "page 3, 1,500 records, 150 per second"),
        (Progress(3, None, 10, None, 2), 1, "page 3, 10 records, 1 per second, retries: 2, waits: 1"),
        (Progress(4, 3, 7, 6, 0), 0, "page 4 of 4, 7 of 7 records, 1 per second, 0 s left"),
    ],
    ids=["counted", "not-counted", "with-retries-and-waits", "longer-than-counted"],
)
def test_progress_has_numbers(progress: Progress, waits: int, expected: str) -> None:
    assert described(progress, seconds=10, waits=waits) == expected


def test_nothing_is_expected_of_an_api_that_does_not_count() -> None:
    with configured_crm(lists={"open_tasks": tasks(1)}, with_meta=False):
        first, *_ = source_reads.read("open_tasks").progress
    assert (first.pages_expected, first.records_expected) == (None, None)


def test_progress_that_cannot_be_logged_fails_no_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_assets.console.SECONDS_BETWEEN_LINES", 0)
    ReadProgress("contacts", Mock(side_effect=OSError("no space left on device"))).page(Progress(1, None, 1, None, 0))


def test_terminal_that_is_closed_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    record = logging.LogRecord("", logging.ERROR, "", 1, "", (), None)
    record.dagster_meta = {"dagster_event": None, "orig_message": "Failed"}
    monkeypatch.setattr(sys, "stderr", Mock(write=Mock(side_effect=OSError("Input/output error"))))
    ConsoleHandler().handle(record)
