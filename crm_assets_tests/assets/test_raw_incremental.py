"""An incremental read makes few requests and ends with the tables that a full read would have made."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from shutil import copytree
from typing import Any

import pytest

from crm_assets_tests.assets.raw_runs import apply_policy, materialize, messages, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.scripted_crm import ScriptedCrm, Seen, configured_crm, once_before

pytestmark = pytest.mark.slow

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
PAGES = 20
PER_PAGE = 10


def account(id_: int, minutes: float, name: str = "as it was") -> dict[str, Any]:
    """An account that was changed some minutes after noon."""
    changed = NOON + timedelta(minutes=minutes)
    return {"id": id_, "name": name, "updated_at": changed.isoformat(), "created_at": NOON.isoformat()}


def two_hundred() -> list[dict[str, Any]]:
    """Accounts, an hour apart."""
    return [account(i, -60 * i) for i in range(1, PAGES * PER_PAGE + 1)]


def change(crm: ScriptedCrm, id_: int, minutes: float) -> None:
    """Changes one account."""
    crm.lists["accounts"][id_ - 1] = account(id_, minutes, "changed")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with two hundred accounts, an hour apart."""
    folder = tmp_path_factory.mktemp("loaded")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(lists={"accounts": two_hundred()}):
        use_data_dir(monkeypatch, folder)
        assert materialize("accounts").success
    return folder


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch, loaded: Path, data_dir: Path) -> Iterator[ScriptedCrm]:
    """The two hundred accounts on twenty pages, all loaded; no request has been seen yet."""
    copytree(loaded, data_dir)
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", str(PER_PAGE))
    with configured_crm(lists={"accounts": two_hundred()}) as crm:
        if not (data_dir / "crm.duckdb").exists():  # a lake cannot be copied with its folder
            assert materialize("accounts").success
            crm.seen.clear()
        yield crm


def names() -> dict[int, str]:
    """Id -> name of the accounts in the table."""
    found = rows("select id, name from raw.accounts")
    assert len(found) == len(dict(found)), "an account is there twice"
    return dict(found)


def as_served(crm: ScriptedCrm) -> dict[int, str]:
    """Id -> name of the accounts in the CRM."""
    return {record["id"]: record["name"] for record in crm.lists["accounts"]}


def test_incremental_read_stops_at_a_page_already_loaded(crm: ScriptedCrm) -> None:
    for id_ in range(50, 62):
        change(crm, id_, minutes=id_)
    run = materialize("accounts", mode="incremental")
    assert crm.pages("accounts") == [1, 2, 3]
    assert names() == as_served(crm)
    assert run.metadata("accounts")["crm/mode"] == "incremental"
    assert run.metadata("accounts")["crm/complete"] is True


def test_nothing_new_costs_two_requests_for_the_newest(crm: ScriptedCrm) -> None:
    materialize("accounts", mode="incremental")
    assert crm.pages("accounts") == [1, 2]
    assert {(seen.params["sort"], seen.params["sort_type"]) for seen in crm.seen} == {("updated_at", "desc")}


def test_a_tie_across_a_page_border_is_read_to_its_end(crm: ScriptedCrm) -> None:
    for id_ in range(100, 125):
        change(crm, id_, minutes=-60)  # just as new as the newest that is loaded
    materialize("accounts", mode="incremental")
    assert names() == as_served(crm)


@pytest.mark.parametrize("with_meta", [True, False], ids=["totals", "no-totals"])
def test_a_tie_in_another_order_for_each_page_hides_no_change(crm: ScriptedCrm, *, with_meta: bool) -> None:
    crm.with_meta = with_meta
    for id_ in range(100, 125):
        change(crm, id_, minutes=60)  # longer after the others than the lag: the next read does not go back so far
    chance, others = Random(1), crm.lists["accounts"][:]  # noqa: S311
    crm.before_page = lambda seen: crm.lists.update(
        accounts=chance.sample(others, len(others)) if "sort" in seen.params else others
    )
    run = materialize("accounts", mode="incremental")
    assert names() == as_served(crm)
    assert run.metadata("accounts")["crm/complete"] is True


def test_a_tie_whose_end_is_repeated_hides_no_change(crm: ScriptedCrm) -> None:
    records = crm.lists["accounts"]
    del records[191:]
    for id_ in range(1, 192):
        change(crm, id_, minutes=60)

    def swap(seen: Seen) -> None:
        if seen.page == PAGES and "sort" in seen.params:
            records[3], records[190] = records[190], records[3]

    crm.before_page = swap
    materialize("accounts", mode="incremental")
    assert {id_: name for id_, name in names().items() if id_ < 192} == as_served(crm)


@pytest.mark.long
@pytest.mark.parametrize(("lag", "is_seen"), [(600, True), (0, False)], ids=["within the lag", "without a lag"])
def test_a_record_that_shows_late_is_found_within_the_lag(
    crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch, lag: int, *, is_seen: bool
) -> None:
    monkeypatch.setenv("SOURCES__CRM__INCREMENTAL_LAG", str(lag))
    for id_ in range(100, 100 + 2 * PER_PAGE):
        change(crm, id_, minutes=-60 + 1)  # two new pages stand before it
    materialize("accounts", mode="incremental")
    for id_ in range(150, 150 + 2 * PER_PAGE):
        change(crm, id_, minutes=-60 - 5)
    materialize("accounts", mode="incremental")
    assert (names() == as_served(crm)) is is_seen


def test_record_changed_during_a_read_is_found_by_the_next(crm: ScriptedCrm) -> None:
    for id_ in range(50, 80):
        change(crm, id_, minutes=id_)
    crm.before_page = once_before(2, lambda: change(crm, 60, minutes=500))
    materialize("accounts", mode="incremental")
    materialize("accounts", mode="incremental")
    assert names() == as_served(crm)


@pytest.mark.parametrize("page", [2, 4])
def test_record_removed_during_a_read_hides_no_change(crm: ScriptedCrm, page: int) -> None:
    for id_ in range(50, 95):
        change(crm, id_, minutes=id_)
    crm.before_page = once_before(page, lambda: crm.lists["accounts"].pop(91))
    run = materialize("accounts", mode="incremental")
    assert run.metadata("accounts")["crm/mode"] == "incremental"
    assert as_served(crm).items() <= names().items()
    assert len(crm.pages("accounts")) < PAGES / 2


@pytest.mark.parametrize("order", ["by id", "ascending"])
def test_an_api_that_does_not_sort_newest_first_is_read_in_full(
    crm: ScriptedCrm, order: str, capfd: pytest.CaptureFixture[str]
) -> None:
    crm.sorts = frozenset()
    accounts = crm.lists["accounts"]
    if order == "ascending":
        accounts.reverse()
    else:
        accounts[3]["updated_at"] = NOON.isoformat()
    accounts[150] = {**accounts[150], "name": "changed", "updated_at": (NOON + timedelta(days=1)).isoformat()}
    run = materialize("accounts", mode="incremental")
    assert sorted(crm.pages("accounts")) == list(range(1, PAGES + 2))
    assert names() == as_served(crm)
    assert run.metadata("accounts")["crm/mode"] == "full"
    assert "accounts: The API does not sort by updated_at as asked: reading all pages" in capfd.readouterr().err


def test_records_missed_by_a_list_that_only_looks_sorted_are_found_by_a_full_read(
    crm: ScriptedCrm, capfd: pytest.CaptureFixture[str]
) -> None:
    """An import gave all the same time, then the first was edited; `sort` is ignored, and new records come last."""
    crm.sorts = frozenset()
    for id_ in range(2, PAGES * PER_PAGE + 1):
        change(crm, id_, minutes=-60 * 24)
    materialize("accounts")
    crm.lists["accounts"].append(account(999, 5, "new"))
    for _ in range(2):
        assert "reading all pages" not in messages(capfd)
    assert "The API counts more records than are loaded: reading all pages" in messages(capfd)
    assert names() == as_served(crm)


def test_record_added_during_a_read_makes_no_later_read_a_full_one(
    crm: ScriptedCrm, capfd: pytest.CaptureFixture[str]
) -> None:
    crm.before_page = once_before(2, lambda: crm.lists["accounts"].append(account(999, 5, "new")))
    for _ in range(3):
        assert "reading all pages" not in messages(capfd)
    assert names() == as_served(crm)


def test_record_changed_while_its_page_moves_is_not_missed(crm: ScriptedCrm) -> None:
    """The newest record has left a sorted list, which looks as if it were not sorted; then the last one is changed."""
    crm.with_meta = False
    del crm.lists["accounts"][0]

    def change_last() -> None:
        crm.lists["accounts"][-1] = account(PAGES * PER_PAGE, 500, "changed")

    crm.before_page = once_before(PAGES // 2, change_last)
    run = materialize("accounts", mode="incremental")
    assert run.metadata("accounts")["crm/mode"] == "full"
    assert run.metadata("accounts")["crm/complete"] is True
    shown = dict(rows("select id, name from present.accounts"))
    assert shown == as_served(crm)
    assert {"sort" in seen.params for seen in crm.seen if seen.page > 2} == {False}


def test_read_after_an_incomplete_one_is_full(crm: ScriptedCrm, capfd: pytest.CaptureFixture[str]) -> None:
    crm.lists["accounts"].insert(0, {"name": "without an id", "updated_at": NOON.isoformat()})
    materialize("accounts")
    crm.seen.clear()
    del crm.lists["accounts"][0]
    assert "accounts: A read was incomplete since the last complete full read: reading all pages" in messages(capfd)
    assert sorted(crm.pages("accounts")) == list(range(1, PAGES + 2))


@pytest.mark.long
def test_log_says_why_an_incremental_read_is_a_full_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    undated = [{"id": id_, "name": "one", "updated_at": "yesterday"} for id_ in range(60)]
    with configured_crm(lists={"accounts": undated}) as crm:
        assert "No complete full read has been loaded yet: reading all pages" in messages(capfd)
        assert crm.pages("accounts") == [1, 2]
        assert "No loaded record has a time in updated_at: reading all pages" in messages(capfd)
        crm.lists["accounts"].append({"name": "without an id"})
        materialize("accounts")
        assert "No complete full read has been loaded yet" not in messages(capfd)
        crm.lists["accounts"] = [account(id_, 0) for id_ in range(60)]
        materialize("accounts")
        monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__ACCOUNTS__PARAMS__FILTER", "all")
        assert "The path or the parameters of the list have changed since its last complete full read" in messages(
            capfd
        )


def test_read_after_a_change_of_the_policy_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise only records that change would get the values that are kept now."""
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    with configured_crm(lists={"accounts": [account(id_, -60 * id_) | {"seat": id_} for id_ in range(200)]}):
        materialize("accounts")
        monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_ALLOWED", "seat")
        apply_policy()
        materialize("accounts", mode="incremental")
        assert materialize("accounts", mode="incremental").metadata("accounts")["crm/mode"] == "incremental"
    assert rows("select count(seat) from raw.accounts") == [(200,)]


def test_any_spelling_of_an_instant_is_a_cursor(capfd: pytest.CaptureFixture[str]) -> None:
    listed = [account(i, -60 * i) for i in range(1, 201)]
    listed = [{**record, "updated_at": f"{NOON - timedelta(hours=record['id']):%G-W%V-%uT%H,0}Z"} for record in listed]
    with configured_crm(lists={"accounts": listed}) as crm:
        materialize("accounts")
        crm.seen.clear()
        assert "reading all pages" not in messages(capfd)
        assert crm.pages("accounts") == [1, 2]
