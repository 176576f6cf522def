"""`crm-assets build`: models and their tests without Dagster, while one works on them."""

from pathlib import Path

import pytest

from crm_assets.__main__ import main
from crm_assets.runner.loading import load_models
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.marked_records import UPDATED
from crm_assets_tests.scripted_crm import configured_crm


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models of a project that the command knows instead of the usual one."""
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: own")
    monkeypatch.setattr("crm_assets.commands.build.load_models", lambda: load_models(tmp_path))
    return tmp_path / "models"


def build(*models: str) -> int:
    return main(["build", *models])


@pytest.mark.slow
def test_build_shows_failed_tests_with_sql_to_find_rows(capsys: pytest.CaptureFixture[str]) -> None:
    accounts = [{"id": 1, "name": "Acme", "updated_at": UPDATED}, {"id": 2, "updated_at": UPDATED}]
    with configured_crm(lists={"accounts": accounts}):
        assert materialize("accounts").success

        assert build("snapshots.accounts_history", "Staging.STG_Accounts") == 0

    output = capsys.readouterr().out
    staging, snapshot = output.index("staging.stg_accounts: 2 rows"), output.index("snapshots.accounts_history: 2 rows")
    assert staging < snapshot
    heading, _, sql = output[staging:snapshot].partition(". Find the rows with:\n")
    assert "warn: account_name_not_null: 1 of 2 accounts has no account_name" in heading
    with connected() as connection:
        assert connection.execute(f"select account_id, account_name from ({sql})").fetchall() == [(2, None)]


def test_described_columns_that_a_model_lacks_are_named(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "a.sql").write_text("select 1 as i, 2 as J")
    columns = "".join(f"\n      - {{name: {name}, description: A number.}}" for name in "IjK")
    (own / "a.yml").write_text(f"models:\n  - name: a\n    description: A row.\n    columns:{columns}\n")
    assert build() == 0
    _, warning = capsys.readouterr().out.splitlines()
    assert warning == "    warn: the YAML describes columns that the model does not have: K"


@pytest.mark.long
def test_unchanged_models_are_built_on_request_only(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"accounts": [{"id": 1, "name": "Acme", "updated_at": UPDATED}]}):
        assert materialize("accounts").success
        shown = []
        for options in ([], [], ["--full-refresh"]):
            assert build("staging.stg_accounts", *options) == 0
            shown.append(capsys.readouterr().out.partition(",")[0].strip())

    assert shown == ["staging.stg_accounts: 1 row", "staging.stg_accounts: unchanged", "staging.stg_accounts: 1 row"]


def test_models_that_read_one_that_failed_are_not_built(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build("staging.stg_accounts", "snapshots.accounts_history", "seeds.sandbox_targets") == 1

    output = capsys.readouterr().out
    assert "stg_accounts.sql" in output
    assert " does not exist. Materialize the assets that it depends on first" in output
    assert "snapshots.accounts_history: not built, since it reads staging.stg_accounts" in output
    assert rows("select count(*) > 0 from seeds.sandbox_targets", data_dir / "sandbox.duckdb") == [(True,)]


def test_a_template_that_fails_when_it_is_built_fails_its_model_alone(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "a.sql").write_text("{% if execute %}{{ nothing.that_is_known }}{% endif %} select 1 as i")
    (own / "b.sql").write_text("select 2 as i")

    assert build() == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"main.a: {own}/a.sql:1: 'nothing' is undefined")
    assert second.startswith("main.b: 1 row")


def test_a_model_may_be_named_without_its_schema(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "a.sql").write_text("{{ config(alias='b') }} select 1 as i")
    (own / "b.sql").write_text("{{ config(schema='other') }} select 2 as i")

    assert build("a") == 0
    assert capsys.readouterr().out.startswith("main.b: 1 row")


def test_an_unknown_model_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("marts.nope") == 1

    output = capsys.readouterr().err
    assert "There is no model marts.nope" in output
    assert "marts.task_backlog" in output


def test_a_model_may_be_named_as_its_asset(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (own / "a.sql").write_text("select 1 as i")
    assert build("main/a") == 0
    assert capsys.readouterr().out.startswith("main.a: 1 row")


def test_an_unknown_model_is_answered_with_similar_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("marts.task_backlogs", "accountoverview") == 1
    message = capsys.readouterr().err
    assert (
        "no model accountoverview, marts.task_backlogs. Did you mean account_overview, marts.task_backlog?" in message
    )
