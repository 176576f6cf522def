"""With nothing configured a run brings its own CRM along, and takes it away again."""

import re
import socket
import threading
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import materialize, rows

OURS = ("sandbox", "crm-page")


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(OURS)]


@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_the_sandbox_lives_as_long_as_the_run(
    outcome: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if outcome == "failure":
        monkeypatch.setenv("SOURCES__CRM__REQUEST_MAX_ATTEMPTS", "1")
        monkeypatch.setenv("SOURCES__CRM__REQUEST_TIMEOUT", "0.000001")
    run = materialize("past_appointments")
    assert run.success == (outcome == "success")
    [base_url] = set(re.findall(r"generated records at http://127.0.0.1:(\d+)", capfd.readouterr().err))
    with socket.socket() as connection:
        assert connection.connect_ex(("127.0.0.1", int(base_url))) != 0
    assert threads() == []
    assert not (data_dir / "crm.duckdb").exists()
    if outcome == "success":
        [(count,)] = rows(data_dir / "sandbox.duckdb", "select count(*) from raw.past_appointments")
        metadata = run.metadata("past_appointments")
        assert 0 < count == metadata["crm/rows_read"] == metadata["crm/rows_in_source"]


def test_runs_of_the_same_instance_have_a_sandbox_each(
    data_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert materialize("won_deals", mode="incremental").success
    ports = re.findall(r"generated records at http://127.0.0.1:(\d+)", capfd.readouterr().err)
    assert len(ports) >= 2
    assert rows(data_dir / "sandbox.duckdb", "select mode from raw.sync_log order by started_at") == [
        ("full",),
        ("incremental",),
    ]
