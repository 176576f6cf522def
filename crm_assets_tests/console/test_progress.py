"""The progress of a read: what is shown, and that it cannot disturb the read."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from crm_assets.console import ReadProgress, Terminal, Watcher, described
from crm_assets.settings import resolve_settings
from crm_assets.source.crm_source import ReadState, crm_read
from crm_assets.source.reading.report import Progress
from crm_assets_tests.assets.raw_runs import tasks
from crm_assets_tests.scripted_crm import ScriptedCrm, scripted_crm
from crm_assets_tests.source.source_reads import configured_crm, read

DAGSTER = Path(sys.executable).with_name("dagster")


def test_read_reports_progress_after_each_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "2")
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(5)}):
        progress = read("open_tasks").progress
    assert progress == [Progress(1, 3, 2, 5, 0), Progress(2, 3, 4, 5, 0), Progress(3, 3, 5, 5, 0)]


def test_nothing_is_expected_of_an_api_that_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(1)}, with_meta=False):
        first, *_ = read("open_tasks").progress
    assert (first.pages_expected, first.records_expected) == (None, None)


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


def test_progress_can_go_to_what_cannot_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        configured_crm(monkeypatch, lists={"open_tasks": tasks(1)}),
        Path(os.devnull).open("w", encoding="utf-8") as screen,
    ):
        watcher = Watcher("open_tasks", print, Terminal(screen).print, seconds_between=0)
        with crm_read("open_tasks", resolve_settings(), ReadState(), watcher.wait, watcher.page) as reading:
            assert list(reading.source)


def test_a_log_that_cannot_be_written_fails_no_read() -> None:
    def broken(_: str) -> None:
        raise OSError("no space left on device")

    with ReadProgress(seconds_between_lines=0).shown("contacts", broken) as watcher:
        watcher.page(Progress(1, None, 1, None, 0))


def started_in_terminal(crm: ScriptedCrm, tmp_path: Path, terminal: int) -> "subprocess.Popen[bytes]":
    """A job that reads one resource of a CRM, with a terminal for everything it prints."""
    environment = {
        "PATH": os.defpath,
        "TERM": "xterm",
        "DAGSTER_HOME": str(tmp_path),
        "CRM_DATA_DIR": str(tmp_path / "data"),
        "DLT_PROJECT_DIR": os.environ["DLT_PROJECT_DIR"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "SOURCES__CRM__PER_PAGE": "1",
        "SOURCES__CRM__MAX_IN_FLIGHT": "1",
    }
    job = ("-m", "crm_assets.definitions", "-j", "crm_full_refresh", "--op-selection", "raw__open_tasks")
    return subprocess.Popen(
        [str(DAGSTER), "job", "execute", *job],
        cwd=tmp_path,
        env=environment | crm.settings(),
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )


def output_of(process: "subprocess.Popen[bytes]", screen: int) -> str:
    """All that a process shows until it ends."""
    shown = b""
    while True:
        try:
            shown += os.read(screen, 10_000)
        except OSError:  # the last process that had the terminal open has ended
            break
    process.wait(timeout=60)
    return shown.decode()


@pytest.mark.slow
@pytest.mark.long
def test_a_terminal_shows_progress_that_gives_way_to_a_line(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    with scripted_crm(lists={"open_tasks": tasks(12)}, latency=0.1) as crm:
        process = started_in_terminal(crm, tmp_path, terminal)
        os.close(terminal)
        shown = output_of(process, screen)
    os.close(screen)
    assert process.returncode == 0, shown
    assert "of 12 records" in shown
    *_, read, rest = shown.partition("open_tasks: 12 records")
    assert "of 12 records" not in rest, "the progress is shown after the read"
    assert read


@pytest.mark.slow
@pytest.mark.long
def test_a_terminal_that_is_closed_fails_no_run(tmp_path: Path) -> None:
    screen, terminal = pty.openpty()
    with scripted_crm(lists={"open_tasks": tasks(12)}, latency=0.1) as crm:
        process = started_in_terminal(crm, tmp_path, terminal)
        os.close(terminal)
        while not crm.seen and process.poll() is None:
            os.read(screen, 10_000)
        os.close(screen)
        process.wait(timeout=110)
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        [run] = instance.get_runs()
    assert run.status is DagsterRunStatus.SUCCESS
