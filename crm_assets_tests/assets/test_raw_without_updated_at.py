"""A list without a time of the last change is read in full each time."""

from typing import Any

import pytest

from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.assets.raw_runs import materialize, messages, rows
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow


def test_list_without_updated_at_is_always_read_in_full(
    declarations: Declarations, capfd: pytest.CaptureFixture[str]
) -> None:
    declarations.leave_out("updated_at")
    listed = [{"id": i, "title": f"Task {i}"} for i in range(1, 121)]
    with configured_crm(lists={"open_tasks": listed}) as crm:
        assert materialize("open_tasks").success
        listed[110]["title"] = "changed"
        del listed[5]
        crm.seen.clear()
        assert "The schema of open_tasks has no updated_at: reading all pages" in messages(capfd, "open_tasks")
        assert crm.pages("open_tasks") == [1, 2, 3]
        assert all("sort" not in seen.params for seen in crm.seen)
    shown = dict(rows("select id, title from present.open_tasks"))
    assert shown == {task["id"]: task["title"] for task in listed}


@pytest.mark.long
@pytest.mark.parametrize("stored", [{}, {"updated_at": "2026-11-01T09:00:00Z"}], ids=["missing", "text"])
def test_read_after_updated_at_was_declared_is_full(
    stored: dict[str, str], declarations: Declarations, capfd: pytest.CaptureFixture[str]
) -> None:
    declarations.leave_out("updated_at")
    with configured_crm(lists={"open_tasks": [{"id": 1} | stored]}) as crm:
        assert materialize("open_tasks").success
        declarations.declare()
        crm.lists["open_tasks"] = [{"id": 1, "updated_at": "2026-11-02T09:00:00Z"}]
        assert "No loaded record has a time in updated_at: reading all pages" in messages(capfd, "open_tasks")
        assert "reading all pages" not in messages(capfd, "open_tasks")
    assert rows("select day(updated_at) from raw.open_tasks") == [(2,)]


@pytest.mark.long
@pytest.mark.parametrize("times", [("9999-12-31T00:00:00Z", "2000-01-01T00:00:00Z"), ("soon", None)], ids=str)
def test_last_of_repeated_ids_is_kept_without_updated_at(declarations: Declarations, times: tuple[Any, Any]) -> None:
    declarations.leave_out("updated_at")
    repeated = [{"id": 1, "title": title, "updated_at": at} for title, at in zip(("first", "last"), times, strict=True)]
    with configured_crm(lists={"open_tasks": repeated}):
        run = materialize("open_tasks")
        assert run.success
        assert "crm/lag_seconds" not in run.metadata("open_tasks")
        assert materialize("open_tasks", mode="incremental").success
    assert rows("select id, title from raw.open_tasks") == [(1, "last")]
