"""What reads leave out is stored once, whatever the number of reads, and each read counts all of it."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from crm_assets.assets.raw_checks import CheckedTable, no_rejected_records
from crm_assets.loading.shared_tables import write_left_out
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.batches import MAX_REJECTED, RejectedRecord
from crm_assets_tests.assets.raw_runs import Run, apply_policy, materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.models.raw_tables import FIRST, SECOND, THIRD, RawTables
from crm_assets_tests.scripted_crm import configured_crm, tasks

pytestmark = pytest.mark.slow

SEEN = """
select
    json_extract_string(record, 'title'),
    page,
    list_position(loads, first_seen),
    list_position(loads, last_seen),
    last_seen = _dlt_load_id
from raw.rejected_records
cross join (select list(_dlt_load_id order by _dlt_load_id) as loads from raw.sync_log)
order by all
"""
"""Title, page, number of the first read and of the last, of each stored record."""

EARLIER_RELEASE = """
alter table raw.rejected_records drop column first_seen;
alter table raw.rejected_records drop column last_seen;
alter table raw.rejected_records drop column records;
alter table raw.dropped_fields drop column first_seen;
alter table raw.dropped_fields drop column last_seen;
"""


def bad(title: str) -> dict[str, Any]:
    return {"id": title, "title": title}


def check(run: Run) -> tuple[bool, str, dict[str, Any]]:
    """Whether the check of rejected records passed, its sentence and its numbers."""
    found = run.check("no_rejected_records")
    return found.passed, str(found.description), {name: value.value for name, value in found.metadata.items()}


def write(tables: RawTables, load_id: str, *rejected: RejectedRecord, fields: Sequence[str] = ()) -> None:
    tables.log("open_tasks", load_id)
    report = ReadReport("open_tasks", rejected=rejected, dropped_fields=tuple(fields))
    write_left_out(tables.connection, report, load_id)


@pytest.mark.long
def test_rejected_record_is_stored_once() -> None:
    with configured_crm(lists={"open_tasks": [*tasks(2), bad("stays"), bad("goes")], "accounts": [bad("stays")]}) as c:
        materialize("open_tasks")
        c.lists["open_tasks"].pop()
        materialize("open_tasks")
        c.lists["open_tasks"] = [*tasks(60), bad("stays"), bad("comes")]
        run = materialize("open_tasks")
        materialize("accounts")

    assert rows(SEEN) == [
        ("comes", 2, 3, 3, True),
        ("goes", 1, 1, 1, True),
        ("stays", 1, 4, 4, True),
        ("stays", 2, 1, 3, True),
    ]
    assert run.metadata("open_tasks")["crm/rows_rejected"] == 2
    assert check(run)[2] == {"the id is not a 64-bit integer but a string": 2}


def test_equal_rejected_records_are_one_row_and_all_counted() -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1}, *[{"title": "same"}] * 7, None, None]}):
        materialize("open_tasks")
        run = materialize("open_tasks")

    found = rows("select record::varchar, records from raw.rejected_records order by records")
    assert found == [("null", 2), ('{"title":"same"}', 7)]
    assert run.metadata("open_tasks")["crm/rows_rejected"] == 9
    assert check(run)[2] == {"no id": 7, "not an object but null": 2}


def test_record_that_is_loaded_later_is_no_longer_counted() -> None:
    with configured_crm(lists={"open_tasks": [bad("one")]}) as c:
        materialize("open_tasks")
        c.lists["open_tasks"] = tasks(1)
        run = materialize("open_tasks")

    assert check(run)[:2] == (True, "no record was rejected")
    assert rows(SEEN) == [("one", 1, 1, 1, True)]


@pytest.mark.long
def test_list_without_usable_ids_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "100")
    with configured_crm(lists={"open_tasks": [bad(str(UUID(int=number))) for number in range(20_000)]}):
        for _ in range(2):
            run = materialize("open_tasks")

    stored = "select count(*), count(distinct record::varchar), count(distinct last_seen) from raw.rejected_records"
    assert rows(stored) == [(20_000, 20_000, 1)]
    assert run.metadata("open_tasks")["crm/rows_rejected"] == 20_000


@pytest.mark.long
def test_records_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "100")
    beyond = [{"n": number} for number in range(MAX_REJECTED + 12)]
    with configured_crm(lists={"open_tasks": [*beyond, {"n": 0}, {"n": MAX_REJECTED}, "text"]}):
        run = materialize("open_tasks")

    stored = "select count(record), sum(records)::bigint from raw.rejected_records"
    assert rows(stored) == [(MAX_REJECTED, len(beyond) + 3)]
    assert run.metadata("open_tasks")["crm/rows_rejected"] == len(beyond) + 3
    _, sentence, numbers = check(run)
    assert numbers == {"no id": len(beyond) + 2, "not an object but a string": 1, "not stored": 14}
    assert sentence.endswith("except 14 that were not stored: it keeps 50,000 different ones of a read")


def test_reads_with_other_rejected_records_keep_a_bound(tables: RawTables) -> None:
    for number in range(5):
        most = [RejectedRecord(1, "no id", f'{{"n":{n},"read":{number}}}', 1) for n in range(MAX_REJECTED * 2 // 3)]
        write(tables, str(number), *most)

    kept = tables.connection.execute("select list(distinct last_seen order by last_seen) from raw.rejected_records")
    assert kept.fetchall() == [(["3", "4"],)]


def test_read_writes_no_row_of_what_it_did_not_leave_out(tables: RawTables) -> None:
    write(tables, FIRST, RejectedRecord(1, "no id", '{"n":1}', 1), RejectedRecord(1, "no id", None, 1), fields=["mood"])
    before = tables.connection.execute("select rowid, * from raw.rejected_records where record is not null").fetchall()
    field = tables.connection.execute("select rowid, * from raw.dropped_fields").fetchall()

    write(
        tables, SECOND, RejectedRecord(1, "no id", '{"n":2}', 1), RejectedRecord(1, "no id", None, 4), fields=["seat"]
    )

    rejected = tables.connection.execute("select rowid, * from raw.rejected_records").fetchall()
    assert before[0] in rejected
    assert field[0] in tables.connection.execute("select rowid, * from raw.dropped_fields").fetchall()
    beyond = "select records, first_seen, last_seen from raw.rejected_records where record is null"
    assert tables.connection.execute(beyond).fetchall() == [(4, FIRST, SECOND)]


def test_read_that_began_earlier_changes_only_the_first_load(tables: RawTables) -> None:
    write(tables, SECOND, RejectedRecord(2, "no id", "{}", 5), fields=["mood"])
    write(tables, FIRST, RejectedRecord(1, "no id", "{}", 1), fields=["mood", "seat"])
    write(tables, THIRD, fields=["seat"])

    rejected = "select page, records, first_seen, last_seen, _dlt_load_id from raw.rejected_records"
    assert tables.connection.execute(rejected).fetchall() == [(2, 5, FIRST, SECOND, SECOND)]
    dropped = "select field, first_seen, last_seen, _dlt_load_id from raw.dropped_fields order by field"
    assert tables.connection.execute(dropped).fetchall() == [
        ("mood", FIRST, SECOND, SECOND),
        ("seat", FIRST, THIRD, THIRD),
    ]


@pytest.mark.long
def test_tables_of_an_earlier_release_are_upgraded() -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1}, bad("stays"), bad("goes")], "accounts": [bad("other")]}) as c:
        materialize("open_tasks", "accounts")
        with connected(read_only=False) as connection:
            connection.execute(EARLIER_RELEASE)
            for load in ("1700000000.5", "1600000000.5", "1600000000.5"):
                connection.execute(
                    "insert into raw.rejected_records select resource, 9, reason, record, ? from raw.rejected_records "
                    "where not starts_with(_dlt_load_id, '1')",
                    [load],
                )
                connection.execute("insert into raw.dropped_fields values ('open_tasks', 'mood', ?)", [load])
            before = no_rejected_records(CheckedTable(connection, "open_tasks"))
        c.lists["open_tasks"].pop()
        run = materialize("open_tasks")

    assert before.numbers == {"the id is not a 64-bit integer but a string": 2}
    assert check(run)[2] == {"the id is not a 64-bit integer but a string": 1}
    seen = "select json_extract_string(record, 'title'), page, first_seen, records from raw.rejected_records order by 1"
    assert rows(seen) == [(title, 1, "1600000000.5", 1) for title in ("goes", "other", "stays")]
    assert rows("select * from raw.dropped_fields") == [
        ("open_tasks", "mood", "1700000000.5", "1600000000.5", "1700000000.5")
    ]


@pytest.mark.long
def test_records_that_are_equal_without_personal_data_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [{"display_name": name, "email": name} for name in ("Ann", "Bob", "Cy")]
    with configured_crm(lists={"contacts": people}) as c:
        materialize("contacts")
        monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
        apply_policy()
        c.lists["contacts"].pop()
        run = materialize("contacts")

    [(record, records)] = rows("select record::varchar, records from raw.rejected_records")
    assert (json.loads(record), records) == ({"display_name": None, "email": None}, 2)
    assert check(run)[2] == {"no id": 2}


def test_dropped_field_is_stored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", "leave_out")
    with configured_crm(lists={"open_tasks": [{"id": 1, "mood": "low"}]}):
        for _ in range(2):
            materialize("open_tasks")
    found = rows("select field, last_seen > first_seen from raw.dropped_fields")
    assert found == [("mood", True)]
