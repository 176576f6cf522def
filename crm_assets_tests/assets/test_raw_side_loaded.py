"""Side-loaded records are stored in raw.side_loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from crm_assets.runner.loading import load_models
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import Seen, configured_crm, tasks
from crm_assets_tests.source.source_reads import read

pytestmark = pytest.mark.slow

KEPT = "select array_name, id, record::varchar from raw.side_loaded order by all"
ADA = {"id": 7, "display_name": "Ada Marked", "email": "ada@example.com", "is_active": True}
BOB = {"id": 8, "display_name": "Bob Marked", "email": "bob@example.com", "is_active": False}


def kept() -> dict[tuple[str, int], Any]:
    """Array and id of what is kept -> the record."""
    return {(array, id_): json.loads(record) for array, id_, record in rows(KEPT)}


def load(resource: str, side_loaded: dict[str, Any], records: list[Any] | None = None) -> None:
    """Reads a resource whose every page has these arrays before its records."""
    with configured_crm(lists={resource: records or [{"id": 1}]}, side_loaded=side_loaded):
        assert materialize(resource).success


UNUSABLE = [{"display_name": "Marked"}, None, "x", {"id": 1.5}, {"id": 2**63}, [BOB]]
CALL = {"id": 1, "name": "Call"}
PARTIAL = {"id": 5, "name": "Acme", "partial": True}
TOKENS = {"more": [{"collaboration": {"convo_token": "eyJ-secret"}}], "fcWidgetCollaboration": {"auth_token": "eyJ"}}
SENT: dict[str, tuple[dict[str, Any], dict[tuple[str, int], Any]]] = {
    "every array": (
        {"users": [ADA, BOB], "task_types": [CALL]},
        {("task_types", 1): CALL, ("users", 7): ADA, ("users", 8): BOB},
    ),
    "an array of another list": ({"sales_accounts": [PARTIAL]}, {("sales_accounts", 5): PARTIAL}),
    "values that are no arrays": ({"a": None, "b": {}, "c": {"id": 1}, "d": "users", "e": 5, "f": []}, {}),
    "records without a usable id": ({"users": [ADA, *UNUSABLE]}, {("users", 7): ADA}),
    "access tokens": ({"deals": [{"id": 3, **TOKENS}]}, {("deals", 3): {"id": 3, "more": [{}]}}),
}
"""What comes beside the records -> what is kept."""


@pytest.mark.parametrize(("sent", "expected"), SENT.values(), ids=SENT)
def test_records_of_each_array_are_kept(sent: dict[str, Any], expected: dict[tuple[str, int], Any]) -> None:
    load("contacts", sent, [{"id": 1, "name": "Ann"}])

    assert kept() == expected
    assert rows("select count(*) from raw.accounts") == [(0,)]


AS_SENT = [
    '{"id":9007199254740993,"mcr":1450348061427834880}',
    '{"id":1,"n":123456789012345678901234567890}',
    '{"id":"12","zip":"007","rate":0.1,"none":null}',
    '{"id":2,"deep":{"b":[1,{"a":"ü \\" 😀"}],"a":{}}}',
]
"""Numbers beyond a float and beyond 64 bits, texts of digits, and what is nested."""


def test_records_stay_as_they_were_sent() -> None:
    load("open_tasks", {"users": [json.loads(sent) for sent in AS_SENT]})

    assert {record for _, _, record in rows(KEPT)} == {*AS_SENT}


def test_record_on_every_page_is_kept_as_the_last_has_it() -> None:
    def number(seen: Seen) -> None:
        crm.side_loaded["users"] = [{**ADA, "page": seen.page}]

    with configured_crm(lists={"open_tasks": tasks(160)}, before_page=number) as crm:
        assert materialize("open_tasks").success

    assert kept() == {("users", 7): {**ADA, "page": 4}}


def test_records_left_out_are_counted_in_the_log() -> None:
    with configured_crm(lists={"open_tasks": tasks(1)}, side_loaded={"users": UNUSABLE}):
        [note] = read("open_tasks").report.notes

    # The same array comes with page 1 and with the empty page 2.
    assert note == f"Side-loaded array 'users': left out {2 * len(UNUSABLE)} records without a usable id"


def test_a_later_read_of_another_resource_is_newer() -> None:
    load("open_tasks", {"users": [ADA, BOB]})
    load("contacts", {"users": [{**ADA, "is_active": False}]})

    assert kept() == {("users", 7): {**ADA, "is_active": False}, ("users", 8): BOB}


def test_a_read_that_began_earlier_does_not_overwrite_newer_rows() -> None:
    load("contacts", {"users": [{**ADA, "is_active": False}]})
    with connected(read_only=False) as connection:
        connection.execute("update raw.side_loaded set _dlt_load_id = 'load_999999999999'")

    load("open_tasks", {"users": [ADA, BOB]})

    assert kept() == {("users", 7): {**ADA, "is_active": False}, ("users", 8): BOB}


@pytest.mark.long
def test_older_row_of_a_record_is_hidden_then_deleted() -> None:
    load("contacts", {"users": [BOB]})
    with connected(read_only=False) as connection:
        connection.execute(
            "insert into raw.side_loaded select * replace ('load_0' as _dlt_load_id) from raw.side_loaded"
        )

    [shown] = [model.sql for model in load_models() if model.address == "staging.stg_users"]
    assert rows(f"select user_id, last_seen_load_id <> 'load_0' from ({shown})") == [(8, True)]

    load("open_tasks", {"users": [ADA]})
    assert kept() == {("users", 7): ADA, ("users", 8): BOB}
    assert rows("select count(*) from raw.side_loaded") == [(2,)]


def test_an_incremental_read_keeps_rows_that_it_does_not_read() -> None:
    contacts = [{"id": id_, "updated_at": f"2026-05-{id_:02d}T12:00:00Z"} for id_ in range(1, 4)]
    with configured_crm(lists={"contacts": contacts}, side_loaded={"users": [ADA, BOB]}) as crm:
        assert materialize("contacts").success
        crm.side_loaded["users"] = [{**BOB, "is_active": True}]
        assert materialize("contacts", mode="incremental").success

    assert kept() == {("users", 7): ADA, ("users", 8): {**BOB, "is_active": True}}


def test_a_full_read_without_a_record_says_nothing_about_it() -> None:
    load("open_tasks", {"users": [ADA, BOB]})
    load("open_tasks", {"users": [BOB]})

    assert kept() == {("users", 7): ADA, ("users", 8): BOB}


def test_older_database_gets_the_table_with_the_next_load() -> None:
    load("open_tasks", {})
    with connected(read_only=False) as connection:
        connection.execute("drop table raw.side_loaded")

    load("open_tasks", {"users": [ADA]})

    assert kept() == {("users", 7): ADA}


def test_a_load_that_fails_leaves_the_table_as_it_was() -> None:
    load("open_tasks", {"users": [ADA]})
    with connected(read_only=False) as connection:
        connection.execute("alter table raw.sync_log drop column retries")
    with configured_crm(lists={"open_tasks": tasks(1)}, side_loaded={"users": [BOB]}):
        assert not materialize("open_tasks").success

    assert kept() == {("users", 7): ADA}


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_personal_data_to_leave_out_never_reach_the_disk(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, policy: str
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", policy)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", "a key of thirty-two characters ...")
    stage = {"id": 1, "name": "Won"}
    load("open_tasks", {"users": [{**ADA, "nick": "Marked"}], "deal_stages": [stage], "people": [{"id": 2, **ADA}]})

    assert {("deal_stages", 1): stage}.items() <= kept().items()
    assert kept()["users", 7]["is_active"] is True
    written = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert b"Marked" not in written
    assert b"ada@" not in written


def test_same_address_has_the_same_hash_in_every_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "hash")
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", "a key of thirty-two characters ...")
    load("contacts", {"users": [ADA]}, [{"id": 1, "email": ADA["email"]}])

    [(hashed,)] = rows("select email from raw.contacts")
    assert kept()["users", 7]["email"] == hashed


@pytest.mark.long
@pytest.mark.file  # loads of a lake may leave older rows
def test_user_that_two_processes_bring_at_once_is_kept_once() -> None:
    users = [{"id": id_, "display_name": f"User {id_}"} for id_ in range(1, 51)]
    with configured_crm(lists={"open_tasks": tasks(300), "contacts": tasks(300)}, side_loaded={"users": users}):
        assert exit_codes(*(started(materialize, resource) for resource in ("open_tasks", "contacts"))) == [0, 0]

    found = "select count(*), count(distinct id), list(distinct _dlt_load_id) from raw.side_loaded"
    [(newest,)] = rows("select max(_dlt_load_id) from raw.sync_log having count(*) = 2")
    assert rows(found) == [(50, 50, [newest])]
