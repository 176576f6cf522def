"""Two loads of different resources add the same side-loaded records to a lake at the same time."""

from typing import Any

import pytest

from crm_assets.loading import load as loading
from crm_assets.loading.shared_tables import merge_side_loads
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.warehouse.statements import read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lake")]


def users(name: str) -> list[dict[str, Any]]:
    return [{"id": id_, "display_name": name} for id_ in range(50)]


def load_accounts() -> None:
    assert materialize("accounts").success


@pytest.mark.long
def test_loads_neither_wait_nor_start_over(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def merged_while_another_loads(*arguments: Any) -> bool:
        attempts.append(arguments)
        is_other = merge_side_loads(*arguments)
        crm.side_loaded["users"] = users("Third")
        assert exit_codes(started(load_accounts)) == [0]
        return is_other

    lists = {"contacts": tasks(2), "open_tasks": tasks(2), "accounts": tasks(2)}
    with configured_crm(lists=lists, side_loaded={"users": users("First")}) as crm:
        assert materialize("contacts").success
        crm.side_loaded["users"] = users("Second")
        monkeypatch.setattr(loading, "merge_side_loads", merged_while_another_loads)
        assert materialize("open_tasks").success
        assert len(attempts) == 1
        kept = "select count(*), count(distinct id), any_value(record ->> 'display_name') from raw.side_loaded"
        assert read(kept) == [(50, 50, "Third")]
