"""Records that cannot be loaded are set aside, with the reason; all others are loaded, each id once."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crm_assets.source.typing import batches
from crm_assets_tests.assets.raw_runs import Run, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.scripted_crm import configured_crm, tasks

REJECTED = [
    "just text",
    None,
    {"title": "no id at all"},
    {"id": "T-17"},
    {"id": True},
    {"id": 2**63, "title": "too large"},
]
LOADED = {
    "plain": ({"id": 7, "title": "plain"}, (7, "plain")),
    "digit-string-id": ({"id": "8", "title": "digits"}, (8, "digits")),
    "largest-id": ({"id": 2**63 - 1, "title": "largest"}, (2**63 - 1, "largest")),
    "beyond-2-to-the-53": ({"id": 1450348061427834881, "title": "odd"}, (1450348061427834881, "odd")),
    "decimal-point": ({"id": 9.0, "title": "decimal"}, (9, "decimal")),
    "zero": ({"id": 0, "title": "zero"}, (0, "zero")),
    "negative": ({"id": -3, "title": "negative"}, (-3, "negative")),
}
DOUBLED = [
    {"id": 50, "title": "older", "updated_at": "2026-01-01T00:00:00Z"},
    {"id": 50, "title": "newer", "updated_at": "2026-01-02T00:00:00Z"},
    {"id": 50, "title": "oldest", "updated_at": "2025-12-31T23:00:00-01:00"},
    {"id": "50", "title": "older, in digits", "updated_at": "2026-01-01T12:00:00Z"},
]


@dataclass(frozen=True)
class Loaded:
    """A run over odd records among usual ones."""

    database: Path
    run: Run


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    usual = tasks(60, first=1000)
    odd = [*REJECTED, *(record for record, _ in LOADED.values())]
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(lists={"open_tasks": usual + odd}):
        use_data_dir(monkeypatch, folder)
        run = materialize("open_tasks")
    return Loaded(folder / "crm.duckdb", run)


@pytest.mark.slow
def test_the_run_succeeds_and_says_that_it_is_incomplete(loaded: Loaded) -> None:
    assert loaded.run.success
    metadata = loaded.run.metadata("open_tasks")
    assert metadata["crm/complete"] is False
    assert metadata["crm/rows_read"] == 60 + len(REJECTED) + len(LOADED)
    assert metadata["dagster/row_count"] == 60 + len(LOADED)
    assert rows(loaded.database, "select complete, rows_read from raw.sync_log") == [(False, metadata["crm/rows_read"])]


@pytest.mark.parametrize(("_record", "row"), LOADED.values(), ids=LOADED.keys())
def test_an_unusual_id_is_loaded(loaded: Loaded, _record: dict[str, Any], row: tuple[int, str]) -> None:
    assert rows(loaded.database, f"select id, title from raw.open_tasks where id = {row[0]}") == [row]


def test_unusable_records_are_set_aside_with_their_page_and_load(loaded: Loaded) -> None:
    kept = rows(
        loaded.database,
        "select resource, page, record, reason, _dlt_load_id in (select _dlt_load_id from raw.sync_log) "
        "from raw.rejected_records",
    )
    assert {(resource, page, known) for resource, page, _, _, known in kept} == {("open_tasks", 2, True)}
    # repr tells True from 1, and 1.5 from "1.5".
    assert sorted(repr(json.loads(record)) for *_, record, _, _ in kept) == sorted(map(repr, REJECTED))
    # Reasons tell the kind of trouble, and show nothing of the record.
    values = {"just text", "no id at all", "T-17", "too large", str(2**63)}
    assert [value for value in values for *_, reason, _ in kept if value in reason] == []


def test_set_aside_records_are_shown_in_no_event(loaded: Loaded) -> None:
    for reason in ("no id at all", "too large", "just text"):
        assert reason not in loaded.run.everything_shown


@pytest.mark.slow
@pytest.mark.parametrize("batch_rows", [1, batches.BATCH_ROWS])
@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_newest_of_repeated_records_is_kept(
    with_meta: bool, batch_rows: int, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_ROWS", batch_rows)
    records = [*DOUBLED[:2], *tasks(60, first=1000), *DOUBLED[2:]]
    with configured_crm(lists={"open_tasks": records}, with_meta=with_meta):
        run = materialize("open_tasks")
    assert run.success
    database = data_dir / "crm.duckdb"
    assert rows(database, "select title from raw.open_tasks where id = 50") == [("newer",)]
    assert rows(database, "select count(*), count(distinct id) from raw.open_tasks") == [(61, 61)]
    assert run.metadata("open_tasks")["crm/rows_read"] == 61


@pytest.mark.slow
def test_a_list_that_is_read_again_sets_a_record_aside_once(data_dir: Path) -> None:
    """More records counted than listed: the list is read once more, to see whether some moved while it was read."""
    with configured_crm(
        lists={"open_tasks": [*tasks(60), {"title": "no id"}]}, total=lambda _seen, true: true + 2
    ) as crm:
        run = materialize("open_tasks")
    assert len(crm.seen) > 3
    found = rows(data_dir / "crm.duckdb", "select page, json_extract_string(record, 'title') from raw.rejected_records")
    assert found == [(2, "no id")]
    assert run.metadata("open_tasks")["crm/rows_read"] == 61


@pytest.mark.slow
def test_record_is_stored_once_although_others_lose_their_ids(data_dir: Path) -> None:
    """The list is read again, as more records are counted than listed; some of them have no id then."""
    again = [{"id": 1, "title": "again"}, {"title": "no id"}, {"title": "no id either"}]
    with configured_crm(lists={"open_tasks": tasks(3)}, total=lambda _seen, _true: 5) as crm:
        crm.before_page = lambda _: crm.lists.update(open_tasks=again) if len(crm.seen) > 2 else None
        materialize("open_tasks")
    found = rows(data_dir / "crm.duckdb", "select id, title from raw.open_tasks order by id")
    assert found == [(1, "again"), (2, "Task 2"), (3, "Task 3")]
    set_aside = rows(data_dir / "crm.duckdb", "select record, records from raw.rejected_records order by all")
    assert set_aside == [('{"title":"no id either"}', 1), ('{"title":"no id"}', 1)]
