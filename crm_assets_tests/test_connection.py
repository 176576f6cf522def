"""With nothing configured a run brings its own CRM along, and takes it away again."""

import re
import socket
import sys
import threading
from pathlib import Path

import pytest

from crm_assets_tests.assets.raw_runs import materialize, rows

OURS = ("sandbox", "crm-page")


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith(OURS)}


def ports(messages: list[str]) -> list[int]:
    """Ports of the sandboxes that were announced."""
    return [int(port) for port in re.findall(r"sandbox.* http://127.0.0.1:(\d+)", "\n".join(messages))]


@pytest.mark.slow
@pytest.mark.parametrize("outcome", ["success", "failure"])
def test_the_sandbox_lives_as_long_as_the_run(outcome: str, data_dir: Path, messages: list[str]) -> None:
    if outcome == "failure":
        data_dir.mkdir()
        (data_dir / "sandbox.duckdb").write_text("this is no database")
    running_before = threads()
    run = materialize("past_appointments")
    assert run.success == (outcome == "success")
    [port] = ports(messages)
    with socket.socket() as connection:
        assert connection.connect_ex(("127.0.0.1", port)) != 0
    assert threads() == running_before
    assert not (data_dir / "crm.duckdb").exists()
    if outcome == "success":
        [(count,)] = rows("select count(*) from raw.past_appointments", data_dir / "sandbox.duckdb")
        metadata = run.metadata("past_appointments")
        assert 0 < count == metadata["crm/rows_read"] == metadata["crm/rows_in_source"]


@pytest.mark.long
def test_each_run_has_a_sandbox_of_its_own(data_dir: Path, messages: list[str]) -> None:
    for _ in range(2):
        assert materialize("open_tasks").success
    assert len(ports(messages)) == 2
    assert rows("select count(*) from raw.sync_log where complete", data_dir / "sandbox.duckdb") == [(2,)]


def test_a_missing_sandbox_is_named_with_the_remedies(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("crm_assets.sandbox")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mimesis", None)
    description = materialize("open_tasks").failure("open_tasks")
    for word in ("SOURCES__CRM__BASE_URL", "mimesis", "pip install 'crm_assets[sandbox]'"):
        assert word in description
    assert not data_dir.exists() or not list(data_dir.glob("*.duckdb"))
