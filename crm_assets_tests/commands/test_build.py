"""`python -m crm_assets build`: models and their tests without Dagster, while one works on them."""

import sys
from pathlib import Path

import pytest

from crm_assets.__main__ import main
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import UPDATED


def build(monkeypatch: pytest.MonkeyPatch, *models: str) -> int:
    monkeypatch.setattr(sys, "argv", ["crm_assets", "build", *models])
    return main()


def test_models_are_built_and_failed_tests_shown_with_the_sql_to_find_their_rows(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts = [{"id": 1, "name": "Acme", "updated_at": UPDATED}, {"id": 2, "updated_at": UPDATED}]
    with configured_crm(lists={"accounts": accounts}):
        assert materialize("accounts").success

        assert build(monkeypatch, "snapshots.accounts_history", "staging.stg_accounts") == 0

    told = capsys.readouterr().out
    staging, snapshot = told.index("staging.stg_accounts: 2 rows"), told.index("snapshots.accounts_history: 2 rows")
    assert staging < snapshot
    heading, _, sql = told[staging:snapshot].partition("warn: account_name_not_null: 1 fail. Find the rows with:\n")
    assert heading
    with connected(data_dir / "crm.duckdb") as connection:
        assert connection.execute(sql).fetchall() == [(2, None)]


def test_models_that_read_one_that_failed_are_not_built(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(monkeypatch, "staging.stg_accounts", "snapshots.accounts_history", "seeds.sandbox_targets") == 1

    told = capsys.readouterr().out
    assert "stg_accounts.sql" in told
    assert "Materialize the assets that it depends on first" in told
    assert "snapshots.accounts_history: not built, since it reads staging.stg_accounts" in told
    assert rows(data_dir / "sandbox.duckdb", "select count(*) > 0 from seeds.sandbox_targets") == [(True,)]


def test_an_unknown_model_is_refused_with_those_that_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(monkeypatch, "marts.nope") == 1

    told = capsys.readouterr().err
    assert "There is no model marts.nope" in told
    assert "marts.task_backlog" in told
