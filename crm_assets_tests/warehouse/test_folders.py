"""The data directory may have any name that the file system takes."""

from pathlib import Path

import pytest

from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.scripted_crm import configured_crm

NAMES = ["O'Brien", "100%s %d", "env=prod", "a?b#1", "Zoë [x] *", "a;b --", "$HOME", '{y} "quoted"', "~", "back\\slash"]


@pytest.mark.slow
def test_data_can_be_kept_below_folders_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path.joinpath(*NAMES, "data")
    monkeypatch.setenv("CRM_DATA_DIR", str(folder))
    with configured_crm(lists={"open_tasks": [{"id": 1, "title": "Call"}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = [{"id": 1, "title": "Called"}]
        assert materialize("open_tasks").success
        Warehouse().publish()
        with Warehouse().read_connection() as connection:
            assert connection.execute("select id, title from raw.open_tasks").fetchall() == [(1, "Called")]
    assert rows("select title from raw.open_tasks", folder / "crm.published.duckdb") == [("Called",)]
    assert oct(folder.stat().st_mode)[-3:] == "700"


def test_data_below_folders_of_any_name_can_be_erased(tmp_path: Path) -> None:
    warehouse = Warehouse(database=str(tmp_path.joinpath(*NAMES, "crm.duckdb")))
    with warehouse.get_connection() as connection:
        connection.execute("create table kept as select 1 as i")

    warehouse.erase(lambda connection: connection.execute("create table noted as select 2 as i"))

    with warehouse.read_connection() as connection:
        assert connection.execute("from kept, noted").fetchall() == [(1, 2)]


@pytest.mark.slow
def test_the_data_directory_may_be_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setenv("CRM_DATA_DIR", str(tmp_path / "link"))
    with configured_crm(lists={"open_tasks": [{"id": 1}]}):
        assert materialize("open_tasks").success
    assert rows("select id from raw.open_tasks", tmp_path / "elsewhere" / "crm.duckdb") == [(1,)]
