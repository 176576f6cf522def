"""The sandbox in the foreground: ``python -m crm_assets.sandbox``."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from crm_assets.sandbox.__main__ import main


@contextmanager
def started(*options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "crm_assets.sandbox", "--port=0", "--key=secret", "--rows=50", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def tasks(base_url: str) -> Any:
    return requests.get(f"{base_url}/v1/tasks", headers={"api_key": "secret"}, timeout=10).json()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_it_is_stopped(end: signal.Signals) -> None:
    with started() as process:
        assert process.stdout is not None
        base_url, *settings = (process.stdout.readline().strip() for _ in range(3))
        assert tasks(base_url)["tasks"]
        process.send_signal(end)
        rest = process.communicate(timeout=10)
    assert process.returncode == 0
    assert settings == [f"export SOURCES__CRM__BASE_URL={base_url}", "export SOURCES__CRM__API_KEY=secret"]
    assert rest == ("", "")


def test_undeclared_fields_and_odd_types_can_be_requested() -> None:
    with started("--unknown-fields", "1", "--odd-types", "1", "--side-load") as process:
        assert process.stdout is not None
        answer = tasks(process.stdout.readline().strip())
    assert "users" in answer
    assert all("region_1" in task for task in answer["tasks"])


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    options = "port key rows seed now unknown-fields odd-types side-load latency fail-rate fail-status retry-after"
    for option in options.split():
        assert f"--{option}" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--rows", "-1"], "within 0 to 1,000,000"),
        (["--rows", "1000001"], "within 0 to 1,000,000"),
        (["--port", "70000"], "port must be 0-65535"),
        (["--now", "yesterday"], "not a time"),
        (["--now", "2024-12-31T00:00:00Z"], "before 2025-01-01"),
        (["--now", "2026-03-18T12:00:00"], "no time zone"),
        (["--fail-rate", "1.5"], "rate of faults: 1.5 is not within 0 to 1"),
        (["--fail-status", "200"], "within 400 to 599"),
        (["--latency", "-1"], "within 0 to inf"),
        (["--unknown-fields", "-1"], "unknown fields: -1 is not within 0 to 1,000"),
        (["--odd-types", "1.5"], "within 0 to 1"),
        (["--odd-types", "-0.1"], "within 0 to 1"),
    ],
)
def test_a_wrong_option_is_explained(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    interrupt, terminate = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit, match="2"):
            main(["--port", "0", *arguments])
    finally:
        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, terminate)
    assert complaint in capsys.readouterr().err
