"""MotherDuck as the warehouse, as far as it can be tried without an account: its configuration, and errors."""

from pathlib import Path

import duckdb
import pytest

from crm_assets.warehouse.motherduck import MotherDuck
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.scripted_crm import configured_crm, tasks


@pytest.mark.parametrize(
    ("address", "token"),
    [("md:crm", "hush"), ("md:crm?motherduck_token=hush", "")],
    ids=["in the environment", "in the address"],
)
def test_unreachable_database_is_an_error_before_any_request(
    address: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", address)
    monkeypatch.setenv("MOTHERDUCK_TOKEN", token)
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        run = materialize("open_tasks")
        assert crm.seen == []
    failure = run.failure("open_tasks")
    assert failure.startswith("md:crm could not be reached: ")
    assert "Check CRM_WAREHOUSE and MOTHERDUCK_TOKEN" in failure
    assert "hush" not in run.everything_shown


@pytest.mark.parametrize("address", ["md:crm", "md:crm?motherduck_token=hush"])
def test_generated_records_have_a_database_of_their_own(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", address)
    assert Warehouse().name == "md:crm_sandbox"


def test_erasure_is_recorded_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    database = MotherDuck(str(tmp_path / "crm.duckdb"), tmp_path, {})
    with database.connected(read_only=False) as connection:
        connection.execute("create table policy as select 'hash' as personal_data")

    def stopped(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("delete from policy")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.erase(stopped)

    with database.connected(read_only=True) as connection:
        assert connection.execute("from policy").fetchall() == [("hash",)]
