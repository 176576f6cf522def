"""The console logger: the lines of a job."""

import re
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import configured_crm, tasks
from crm_assets_tests.scripted_crm import always, failing, json_response

pytestmark = pytest.mark.slow

TIME = r"\d\d:\d\d:\d\d"


def console_lines(resource: str, capsys: pytest.CaptureFixture[str], **run_config: Any) -> list[str]:
    """Lines of a job that reads one resource."""
    capsys.readouterr()
    with DagsterInstance.ephemeral() as instance:
        defs.resolve_job_def("crm_full_refresh").execute_in_process(
            asset_selection=[AssetKey(["raw", resource])],
            run_config={"loggers": {"console": {}}, **run_config} if run_config else None,
            instance=instance,
            raise_on_error=False,
        )
    return capsys.readouterr().err.splitlines()


def test_a_read_is_one_line_with_counts_seconds_and_checks(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}):
        read, ended = console_lines("open_tasks", capsys)
    assert re.fullmatch(
        rf"{TIME} open_tasks: 3 records in 2 requests \(full\); read in [\d.]+ s, loaded in [\d.]+ s; 5 checks passed",
        read,
    )
    assert re.fullmatch(f"{TIME} Run succeeded", ended)


def test_a_failed_check_makes_the_line_a_warning_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1, "undeclared": "secret of a record"}]}):
        read, *_ = console_lines("open_tasks", capsys)
    assert re.match(f"{TIME} WARNING open_tasks: 1 record in [12] requests? ", read)
    assert read.endswith("1 of 5 checks failed: declared_schema")


def test_a_failure_is_one_line_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm() as crm:
        crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))
        lines = console_lines("open_tasks", capsys)
    [failed] = [line for line in lines if "raw__open_tasks failed" in line]
    assert re.match(f"{TIME} ERROR raw__open_tasks failed: open_tasks, page 1: status 403, 'Not yours'", failed)
    assert "Run failed" in lines[-1]


def test_a_retry_is_announced_with_its_reason(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_ATTEMPTS", "1")
    with configured_crm(lists={"open_tasks": tasks(1)}) as crm:
        crm.faults.append(failing("open_tasks", page=1, answers=[json_response({}, 503)]))
        again, read, _ = console_lines("open_tasks", capsys)
    assert re.match(rf"{TIME} raw__open_tasks failed and is retried in \d+ s: .*open_tasks, page 1: status 503", again)
    assert "open_tasks: 1 record in " in read


def test_log_lines_show_progress_of_a_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "2")
    often = {"crm_progress": {"config": {"seconds_between_lines": 0}}}
    with configured_crm(lists={"open_tasks": tasks(5)}):
        *progress, _, _ = console_lines("open_tasks", capsys, resources=often)
    assert [re.sub(r"[\d,.]+ per second, \d+ s left", "…", line.split(" ", 1)[1]) for line in progress] == [
        "open_tasks: page 1 of 3, 2 of 5 records, …",
        "open_tasks: page 2 of 3, 4 of 5 records, …",
        "open_tasks: page 3 of 3, 5 of 5 records, …",
    ]
