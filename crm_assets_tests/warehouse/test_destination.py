"""Loads into the warehouse: reads that overlap cannot undo each other, records are taken once, memory is enough."""

import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from crm_assets.warehouse import loading
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, rows

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
ELSEWHERE = "from crm_assets_tests.assets.raw_runs import materialize; assert materialize('accounts').success"


def test_a_slow_read_does_not_bring_back_what_a_later_one_has_replaced(data_dir: Path) -> None:
    accounts = [{"id": i, "name": "old", "updated_at": (NOON - timedelta(hours=i)).isoformat()} for i in range(1, 31)]
    with configured_crm(lists={"accounts": accounts}) as crm:
        materialize("accounts")
        crm.seen.clear()
        crm.holds_back = lambda seen: "sort" not in seen.params
        slow = subprocess.Popen([sys.executable, "-c", ELSEWHERE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not crm.seen and slow.poll() is None:
            time.sleep(0.01)
        # The CRM has cut the slow read's page. Now a record changes, and a later read loads it.
        crm.lists["accounts"][0] = {"id": 1, "name": "new", "updated_at": NOON.isoformat()}
        assert materialize("accounts", mode="incremental").success
        crm.holds_back = None
        assert slow.wait(timeout=60) == 0
        assert rows(data_dir / "crm.duckdb", "select name from raw.accounts where id = 1") == [("new",)]


def test_a_load_for_which_the_memory_is_too_little_gets_more(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOADING", "set memory_limit = '12MiB'")
    texts = [f"{number} " * 200_000 for number in range(1, 31)]
    long = [{"id": number, "title": "long", "description": text} for number, text in enumerate(texts)]
    with configured_crm(lists={"open_tasks": long}):
        run = materialize("open_tasks")
    assert run.success
    assert run.attempts("open_tasks") == 1
    lengths = "select count(*), sum(length(description)) from raw.open_tasks"
    assert rows(data_dir / "crm.duckdb", lengths) == [(30, sum(map(len, texts)))]
