"""Each id is loaded once, and each record that cannot be loaded is set aside once."""

import pytest

from crm_assets.source.typing import batches
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = pytest.mark.slow

DOUBLED = [
    {"id": 50, "title": "older", "updated_at": "2026-01-01T00:00:00Z"},
    {"id": 50, "title": "newer", "updated_at": "2026-01-02T00:00:00Z"},
    {"id": 50, "title": "oldest", "updated_at": "2025-12-31T23:00:00-01:00"},
    {"id": "50", "title": "older, in digits", "updated_at": "2026-01-01T12:00:00Z"},
]


@pytest.mark.parametrize("limit", ["BATCH_ROWS", "BATCH_BYTES"])
@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_newest_of_repeated_records_is_kept(with_meta: bool, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, limit, 1)
    records = [*DOUBLED[:2], *tasks(60, first=1000), *DOUBLED[2:]]
    with configured_crm(lists={"open_tasks": records}, with_meta=with_meta):
        run = materialize("open_tasks")
    assert run.success
    assert rows("select title from raw.open_tasks where id = 50") == [("newer",)]
    assert rows("select count(*), count(distinct id) from raw.open_tasks") == [(61, 61)]
    assert run.metadata("open_tasks")["crm/rows_read"] == 61


def test_a_list_that_is_read_again_sets_a_record_aside_once() -> None:
    """More records counted than listed: the list is read once more, to see whether some moved while it was read."""
    with configured_crm(
        lists={"open_tasks": [*tasks(60), {"title": "no id"}]}, total=lambda _seen, true: true + 2
    ) as crm:
        run = materialize("open_tasks")
    assert len(crm.seen) > 3
    found = rows("select page, json_extract_string(record, 'title') from raw.rejected_records")
    assert found == [(2, "no id")]
    assert run.metadata("open_tasks")["crm/rows_read"] == 61


def test_record_is_stored_once_although_others_lose_their_ids() -> None:
    """The list is read again, as more records are counted than listed; some of them have no id then."""
    again = [{"id": 1, "title": "again"}, {"title": "no id"}, {"title": "no id either"}]
    with configured_crm(lists={"open_tasks": tasks(3)}, total=lambda _seen, _true: 5) as crm:
        crm.before_page = lambda _: crm.lists.update(open_tasks=again) if len(crm.seen) > 2 else None
        materialize("open_tasks")
    found = rows("select id, title from raw.open_tasks order by id")
    assert found == [(1, "again"), (2, "Task 2"), (3, "Task 3")]
    set_aside = rows("select record, records from raw.rejected_records order by all")
    assert set_aside == [('{"title":"no id either"}', 1), ('{"title":"no id"}', 1)]
