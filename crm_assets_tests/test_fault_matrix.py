"""The fault matrix: faults of an API, one by one, and the result of a read.

Every fault is one of five kinds. What passes is tried again, and leaves no trace in the table. What will not pass is
reported at once, in one sentence that shows nothing of the data, and the table stays as it was. What ends a list early
is reported, and what came before it is loaded. A record that cannot be loaded is rejected, and all others are loaded. A
value or a name that is out of the ordinary is kept. One fault of each kind is materialized, the others are only read.

Answers that come drop by drop or do not end: `source/http/test_bounded.py`. What happens to a machine instead of an
API: `warehouse/test_crash.py`, `warehouse/test_warehouse.py`.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.errors import ApiError, ApiUnavailable
from crm_assets.source.http import bounded
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import Run, configured_crm, materialize, rows, tasks
from crm_assets_tests.data_dirs import connected, use_data_dir
from crm_assets_tests.faulty_answers import Dropped, Endless, HungUp, Unmeasured
from crm_assets_tests.scripted_crm import KEY, ScriptedCrm, always, failing, json_response
from crm_assets_tests.source.source_reads import read

PERSON = "Jane Doe"
NOW = [task | {"title": "Changed"} for task in tasks(1200)]


def body(content: Any) -> Response:
    """A page with status 200 that holds just this."""
    packed = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(packed, media_type="application/json")


def whole(records: list[dict[str, Any]]) -> bytes:
    """The body of a page."""
    return json.dumps({"tasks": records}).encode()


def packed(content: bytes) -> Response:
    """A page that says of itself that it is compressed."""
    return Response(content, headers={"Content-Encoding": "gzip"}, media_type="application/json")


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with three pages of tasks."""
    with configured_crm(lists={"open_tasks": tasks(130)}) as crm:
        yield crm


PASSING: dict[str, tuple[Callable[[], Response], int]] = {
    "408": (lambda: Response("", 408), 1),
    "425": (lambda: Response("", 425), 2),
    "429": (lambda: Response("", 429), 1),
    "429 with Retry-After": (lambda: Response("", 429, headers={"Retry-After": "1"}), 1),
    "429 with a Retry-After that nobody can read": (lambda: Response("", 429, headers={"Retry-After": "soon"}), 2),
    "500": (lambda: Response("", 500), 3),
    "502, a gateway's web page": (lambda: Response("<html></html>", 502, media_type="text/html"), 1),
    "503": (lambda: Response("", 503), 2),
    "504": (lambda: Response("", 504), 1),
    "520, a gateway's web page": (lambda: Response("<html></html>", 520, media_type="text/html"), 1),
    "524": (lambda: Response("", 524), 3),
    "the connection is closed after the headers": (HungUp, 1),
    "the connection is closed within the answer": (Dropped, 2),
    "an answer without a length breaks off": (lambda: Unmeasured(whole(NOW)[:1000]), 1),
    "an answer without a length breaks off at its beginning": (lambda: Unmeasured(b""), 2),
    "an answer breaks off between two records": (lambda: body(b'{"tasks": [{"id": 1}, {"id": 2}'), 1),
    "gzip breaks off": (lambda: packed(gzip.compress(whole(NOW))[:-99]), 1),
    "200 with an error and no records": (lambda: body({"tasks": [], "errors": {"base": ["Overloaded"]}}), 1),
    "200 with an error and some records": (lambda: body({"tasks": NOW[:1], "error": "partial"}), 2),
    "200 with the code of a limit": (lambda: body({"status": "error", "code": 429, "message": "Slow down"}), 1),
    "200 without success": (lambda: body({"success": False}), 1),
    "200 with a gateway's error": (lambda: body({"errorMessage": "Task timed out", "errorType": "Timeout"}), 1),
}
"""Fault -> the answer, and how often it comes in place of a page."""


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScriptedCrm, Run, Path]:
    """A run in which each page has another of these faults before it is answered, on a table with the same ids."""
    folder = tmp_path_factory.mktemp("disturbed")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(lists={"open_tasks": tasks(70)}) as crm:
        use_data_dir(monkeypatch, folder)
        assert materialize("open_tasks").success
        crm.seen.clear()
        crm.lists["open_tasks"] = NOW
        for page, (answer, times) in enumerate(PASSING.values(), 1):
            crm.faults.append(failing("open_tasks", page=page, answers=[answer() for _ in range(times)]))
        run = materialize("open_tasks")
    return crm, run, folder / "crm.duckdb"


@pytest.mark.parametrize("fault", PASSING)
def test_transient_faults_are_retried(fault: str, disturbed: tuple[ScriptedCrm, Run, Path]) -> None:
    crm, _, _ = disturbed
    _, times = PASSING[fault]
    assert crm.pages("open_tasks").count([*PASSING].index(fault) + 1) == 1 + times


def test_transient_faults_leave_no_trace(disturbed: tuple[ScriptedCrm, Run, Path]) -> None:
    _, run, database = disturbed
    assert run.success
    retries = sum(times for _, times in PASSING.values())
    assert (run.attempts("open_tasks"), run.metadata("open_tasks")["crm/retries"]) == (1, retries)
    found = rows(database, "select id, title from raw.open_tasks order by id")
    assert found == [(record["id"], record["title"]) for record in NOW]


LASTING: dict[str, tuple[Callable[[], Response], str]] = {
    "500 each time": (lambda: json_response({"message": "Out of order"}, 500), "status 500, 'Out of order'"),
    "524 each time": (lambda: Response("", 524), "status 524"),
    "429 each time": (lambda: Response("", 429, headers={"Retry-After": "0"}), "status 429"),
    "the connection is closed each time": (HungUp, "SOURCES__CRM__BASE_URL"),
    "the answer breaks off each time": (lambda: body(b'{"tasks": [{"title": "Jane'), "breaks off after 26 bytes"),
    "200 with an error each time": (
        lambda: body({"tasks": NOW[:3], "errors": [{"code": 1001, "message": "No index"}]}),
        "status 200 with an error of code 1001, 'No index'",
    ),
    "200 with the code of a limit each time": (
        lambda: body({"status": "error", "code": 429, "message": "Slow down"}),
        "status 200 with an error of code 429, 'Slow down'",
    ),
}
"""Fault -> the answer to every request for page 2, and the message, as a regular expression."""


@pytest.mark.parametrize(("answer", "message"), LASTING.values(), ids=LASTING)
def test_lasting_faults_end_after_four_requests(answer: Callable[[], Response], message: str, crm: ScriptedCrm) -> None:
    crm.faults.append(lambda seen: answer() if seen.page == 2 else None)
    with pytest.raises(ApiUnavailable, match=f"^open_tasks, page 2: .*{message}") as raised:
        read()
    assert crm.pages("open_tasks").count(2) == 4
    assert raised.value.may_recover


AT_ONCE: dict[str, tuple[Callable[[], Response], str]] = {
    "400": (lambda: json_response({"errors": {"message": ["Bad page"]}}, 400), "status 400, 'Bad page'"),
    "401": (lambda: Response("", 401), "status 401.*SOURCES__CRM__API_KEY"),
    "403": (lambda: json_response({"message": "No", "name": PERSON}, 403), "status 403, 'No'.*SOURCES__CRM__API_KEY"),
    "501": (lambda: Response("", 501), "status 501"),
    "a wait longer than is allowed": (
        lambda: Response("", 503, headers={"Retry-After": "7200"}),
        "status 503.*7,200 s.*SOURCES__CRM__REQUEST_MAX_WAIT",
    ),
    "404": (lambda: Response("", 404), "status 404.*SOURCES__CRM__ENDPOINTS"),
    "422": (lambda: json_response({"errors": ["No such filter"]}, 422), "'No such filter'.*SOURCES__CRM__ENDPOINTS"),
    "204 without content": (lambda: Response(status_code=204), "status 204"),
    "a redirect to another host": (
        lambda: Response("", 302, headers={"Location": "http://elsewhere.invalid/tasks"}),
        "status 302.*elsewhere.invalid.*SOURCES__CRM__BASE_URL",
    ),
    "a web page with status 200": (lambda: body(f"<html>{PERSON}</html>".encode()), "not JSON.*SOURCES__CRM__BASE_URL"),
    "an empty body": (lambda: body(b""), "not JSON"),
    "a body that is not UTF-8": (lambda: body(b"\xff\xfe" + PERSON.encode("utf-16-le")), "not JSON"),
    "a body that does not end": (lambda: Endless(b" " * 2**16, pause=0), "does not end"),
    "gzip that unpacks to far more": (lambda: packed(gzip.compress(b" " * 2**25)), "does not end"),
    "a redirect to itself": (
        lambda: Response("", 302, headers={"Location": "/v1/tasks"}),
        "status 302.*SOURCES__CRM__BASE_URL",
    ),
    "invalid gzip": (lambda: packed(b'{"tasks": []}'), "Content-Encoding"),
    "200 with an error of the key": (
        lambda: body({"errors": {"code": 401, "message": ["No such key"]}}),
        "status 200 with an error of code 401, 'No such key'.*SOURCES__CRM__API_KEY",
    ),
    "200 with an error of the parameters": (
        lambda: body({"tasks": [], "status": "fail", "code": "422", "message": "No such filter"}),
        "code 422, 'No such filter'.*SOURCES__CRM__ENDPOINTS",
    ),
    "null": (lambda: body(None), "no 'tasks'"),
    "a number": (lambda: body(5), "no 'tasks'"),
    "an array": (lambda: body([{"id": 1, "title": PERSON}]), "no 'tasks'"),
    "no data key": (lambda: body({"items": [{"id": 1, "title": PERSON}]}), "no 'tasks'.*'items'"),
    "an object in place of the list": (lambda: body({"tasks": {"1": {"title": PERSON}}}), "'tasks' is not an array"),
    "a text in place of the list": (lambda: body({"tasks": PERSON}), "'tasks' is not an array"),
    "null in place of the list": (lambda: body({"tasks": None}), "'tasks' is not an array"),
    "nested too deeply": (lambda: body(b'{"tasks":[' + b"[" * 9999 + b"]" * 9999 + b"]}"), "nested more deeply"),
    "more than twice the records": (
        lambda: body({"tasks": tasks(101)}),
        "101 records, more than.*SOURCES__CRM__PER_PAGE",
    ),
    "millions of records": (
        lambda: body(b'{"tasks":[' + b'{"a":1},' * 1_600_000 + b"{}]}"),
        "more than 3,000,000 values in 12,800,014 bytes.*SOURCES__CRM__PER_PAGE",
    ),
    "a hundred thousand side-loaded arrays": (
        lambda: body({"tasks": tasks(1)} | {f"array_{number}": [] for number in range(100_000)}),
        "100,000 arrays besides the list.*SOURCES__CRM__ENDPOINTS",
    ),
    "a hundred thousand side-loaded records": (
        lambda: body({"tasks": tasks(1), "users": [{"id": id_, "name": PERSON} for id_ in range(100_000)]}),
        "100,000 records besides the list.*SOURCES__CRM__ENDPOINTS",
    ),
    "the same page over and over": (lambda: body({"tasks": tasks(50)}), "ignore the query parameter `page`"),
}
"""Fault -> the answer to every request, and the message, as a regular expression."""


HUGE = {"millions of records", "a hundred thousand side-loaded arrays", "a hundred thousand side-loaded records"}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(*fault, id=name, marks=[pytest.mark.slow] if name in HUGE else [])
        for name, fault in AT_ONCE.items()
    ],
)
def test_permanent_faults_are_reported_at_once(
    answer: Callable[[], Response], message: str, crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "MAX_ANSWER_BYTES", 2**24)
    crm.faults.append(always("open_tasks", answer))
    with pytest.raises(ApiError, match=f"^open_tasks, page [1-9]: .*{message}") as raised:
        read()
    assert crm.pages("open_tasks").count(1) == 1
    assert not raised.value.may_recover
    assert len(str(raised.value)) < 500
    assert PERSON not in str(raised.value)


def test_permanent_fault_leaves_the_table_and_shows_no_record(crm: ScriptedCrm, data_dir: Path) -> None:
    answer, message = AT_ONCE["no data key"]
    assert materialize("open_tasks").success
    crm.faults.append(always("open_tasks", answer))
    run = materialize("open_tasks")
    assert not run.success
    assert run.attempts("open_tasks") == 1
    assert re.search(message, run.failure("open_tasks"))
    for hidden in (PERSON, KEY):
        assert hidden not in run.everything_shown
    assert rows(data_dir / "crm.duckdb", "select count(*) from raw.open_tasks") == [(130,)]


ENDS_EARLY: dict[str, tuple[Callable[[], Response], str]] = {
    "200 with a 404 after page 2": (
        lambda: body({"error": {"code": 404, "message": "No such page"}}),
        "no more than 2 pages, 100 of 130 records.*code 404",
    ),
    "400 after page 2": (lambda: Response("", 400), "no more than 2 pages, 100 of 130 records.*status 400"),
    "404 after page 2": (lambda: Response("", 404), "no more than 2 pages, 100 of 130 records.*status 404"),
    "416 after page 2": (lambda: Response("", 416), "no more than 2 pages, 100 of 130 records.*status 416"),
    "422 after page 2": (lambda: Response("", 422), "no more than 2 pages, 100 of 130 records.*status 422"),
    "empty pages after page 2": (
        lambda: body({"tasks": [], "meta": {"total": 130}}),
        "counts 130 records and listed 100.*total_is_exact",
    ),
}
"""Fault -> the answer to every request after page 2, and why the read is incomplete, as a regular expression."""


@pytest.mark.parametrize(("answer", "reason"), ENDS_EARLY.values(), ids=ENDS_EARLY)
def test_list_that_ends_early_is_read_so_far(answer: Callable[[], Response], reason: str, crm: ScriptedCrm) -> None:
    crm.faults.append(lambda seen: answer() if seen.page > 2 else None)
    reading = read()
    assert re.search(reason, reading.report.incomplete_because)
    assert set(reading.ids) == set(range(1, 101))


def test_list_that_ends_early_is_loaded_and_a_check_tells_why(crm: ScriptedCrm, data_dir: Path) -> None:
    answer, reason = ENDS_EARLY["404 after page 2"]
    crm.faults.append(lambda seen: answer() if seen.page > 2 else None)
    run = materialize("open_tasks")
    assert run.success
    assert run.metadata("open_tasks")["crm/complete"] is False
    [check] = [c for c in run.result.get_asset_check_evaluations() if c.check_name == "complete_read"]
    assert not check.passed
    assert re.search(reason, check.description or "")
    assert rows(data_dir / "crm.duckdb", "select count(*) from raw.open_tasks") == [(100,)]


SET_ASIDE: dict[str, tuple[Any, str]] = {
    "a text in place of a record": ("just text", "not an object but a string"),
    "a number in place of a record": (5, "not an object but a number"),
    "null in place of a record": (None, "not an object but null"),
    "an array in place of a record": ([1, 2], "not an object but an array"),
    "no id": ({"name": "none"}, "no id"),
    "an id that is null": ({"id": None, "name": "null"}, "no id"),
    "an id with leading zeros": ({"id": "007"}, "not a 64-bit integer but a string"),
    "an id of minus zero": ({"id": "-0"}, "not a 64-bit integer but a string"),
    "an id with a plus sign": ({"id": "+7"}, "not a 64-bit integer but a string"),
    "an id with an underscore": ({"id": "7_0"}, "not a 64-bit integer but a string"),
    "an id with a space": ({"id": " 7"}, "not a 64-bit integer but a string"),
    "an id of a decimal in a text": ({"id": "7.0"}, "not a 64-bit integer but a string"),
    "an id of a decimal": ({"id": 7.0}, "not a 64-bit integer but a number"),
    "an id of letters": ({"id": "D-17"}, "not a 64-bit integer but a string"),
    "an empty id": ({"id": ""}, "not a 64-bit integer but a string"),
    "an id that is true": ({"id": True}, "not a 64-bit integer but a boolean"),
    "an id with a fraction": ({"id": 1.5}, "not a 64-bit integer but a number"),
    "an id that is an object": ({"id": {"value": 1}}, "not a 64-bit integer but an object"),
    "an id of more than 64 bits": ({"id": 2**63}, "not a 64-bit integer but a number"),
    "an id of thirty digits in a text": ({"id": "9" * 30}, "not a 64-bit integer but a string"),
    "an id of five thousand digits": (b'{"id": ' + b"9" * 5000 + b"}", "not a 64-bit integer but a string"),
}
"""Fault -> the record, and the reason that is given."""

KEPT: dict[str, tuple[Any, dict[str, Any]]] = {
    "a number as text": ({"amount": "7700.0", "probability": "40"}, {"amount": Decimal(7700), "probability": 40}),
    "a text as number": ({"name": 5}, {"name": "5"}),
    "an object in a text": ({"name": {"first": "A"}}, {"name": '{"first":"A"}'}),
    "a text in a number": ({"probability": "forty"}, {"probability": None, "probability__v_text": "forty"}),
    "a number in another notation": (
        {"probability": "007", "amount": "+7"},
        {"probability": None, "probability__v_text": "007", "amount": None, "amount__v_text": "+7"},
    ),
    "a day with a time in a date": (
        {"closed_date": "2024-03-01T10:00:00+05:30"},
        {"closed_date": None, "closed_date__v_text": "2024-03-01T10:00:00+05:30"},
    ),
    "the earliest possible instant": (
        {"updated_at": "0001-01-01T00:00:00+05:30"},
        {"updated_at": None, "updated_at__v_text": "0001-01-01T00:00:00+05:30"},
    ),
    "the latest possible instant": (
        {"updated_at": "9999-12-31T23:59:59-05:00"},
        {"updated_at": None, "updated_at__v_text": "9999-12-31T23:59:59-05:00"},
    ),
    "an unknown field that is null": ({"name": "a", "nothing": None}, {"name": "a"}),
    "a text in a decimal": ({"amount": "a lot"}, {"amount": None, "amount__v_text": "a lot"}),
    "more decimal places than are kept": (
        {"amount": "0.1234567891"},
        {"amount": None, "amount__v_text": "0.1234567891"},
    ),
    "more digits than are kept": (
        {"amount": 3743106039873429137970549819721},
        {"amount": None, "amount__v_text": "3743106039873429137970549819721"},
    ),
    "a number in a boolean": ({"is_deleted": 1}, {"is_deleted": None, "is_deleted__v_text": "1"}),
    "an invalid date": ({"closed_date": "2026-02-30"}, {"closed_date": None, "closed_date__v_text": "2026-02-30"}),
    "an invalid instant": ({"updated_at": "soon"}, {"updated_at": None, "updated_at__v_text": "soon"}),
    "a text in place of an array": ({"tags": "a;b"}, {"tags": '"a;b"'}),
    "NaN": (b'{"amount": NaN}', {"amount": None, "amount__v_text": "NaN"}),
    "a number that no float holds": (b'{"amount": 1e400}', {"amount": None, "amount__v_text": "1e400"}),
    "a number with more digits than a float has": (
        b'{"amount": 12345678901234567890.125}',
        {"amount": Decimal("12345678901234567890.125")},
    ),
    "a lone surrogate": ({"name": "a \ud83d b"}, {"name": "a \ufffd b"}),
    "a line break that is not escaped": (b'{"name": "a\n\tb"}', {"name": "a\n\tb"}),
    "a NUL character": ({"name": "a\0b"}, {"name": "a\0b"}),
    "a field of ten million characters": ({"name": "x" * 10_000_000}, {"name": "x" * 10_000_000}),
    "an array seven hundred levels deep": (
        b'{"name": ' + b"[" * 700 + b"]" * 700 + b"}",
        {"name": "[" * 700 + "]" * 700},
    ),
    "the same, unknown": (b'{"new": ' + b"[" * 700 + b"]" * 700 + b"}", {"new": "[" * 700 + "]" * 700}),
    "an unknown integer of more than 64 bits": ({"long": 2**64}, {"long": str(2**64)}),
    "a long integer within an unknown object": ({"odd": {"a": 2**70}}, {"odd": f'{{"a":{2**70}}}'}),
    "names that differ only by case": (
        {"name": "a", "Name": "b", "NAME": "c"},
        {"name": "a", "name__hdcd1d522": "b", "name__heaa58932": "c"},
    ),
    "names that differ only by their spelling": (
        {"fooBar": 1, "foo_bar": 2, "foo-bar": 3},
        {"foo_bar": 2, "foo_bar__h5a906c24": 1, "foo_bar__h7d89c4f5": 3},
    ),
    "names that are SQL": ({"select": 1, "drop table x;": 2}, {"select": 1, "drop_table_xx": 2}),
    "names with quotes and spaces": ({'a"b': 1, "c'd": 2, "e f": 3}, {"a_b": 1, "c_d": 2, "e_f": 3}),
    "names of letters beyond ASCII": ({"größe": 1}, {"gr_e": 1}),
    "names of nothing": ({"": 1, " ": 2}, {"field__he3b0c442": 1, "field__h36a9e7f1": 2}),
    "names of dlt's own columns": ({"_dlt_id": "mine"}, {"id__hf4f88bc8": "mine"}),
}
"""Fault -> the record without its id, and columns of its row."""


def as_sent(record: Any) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record).encode()


@dataclass(frozen=True)
class Loaded:
    """What a read leaves: rejected records (as text, with the reason), and rows by id."""

    rejected: list[tuple[str, str]]
    rows: dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The tables after one read of everything that is set aside or kept, among two usual records.

    Those with an undeclared field have a page of their own.
    """
    declared = set(resource_schema("won_deals").columns)
    pages: dict[int, list[bytes]] = {
        1: [b'{"id": 1000}', *(as_sent(record) for record, _ in SET_ASIDE.values())],
        2: [],
    }
    for number, (record, _) in enumerate(KEPT.values()):
        sent = b'{"id": %d, ' % number + as_sent(record)[1:]
        pages[1 if declared.issuperset(parse_json(sent)) else 2].append(sent)
    pages[2].append(b'{"id": 1001}')
    total = sum(map(len, pages.values()))
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm() as crm:
        crm.faults.append(
            lambda seen: body(b'{"deals": [%s], "meta": {"total": %d}}' % (b",".join(pages[seen.page]), total))
        )
        use_data_dir(monkeypatch, folder)
        run = materialize("won_deals")
    assert run.success, run.failure("won_deals")
    assert run.metadata("won_deals")["crm/complete"] is False
    with connected(folder / "crm.duckdb") as connection:
        rejected = connection.execute("select record, reason from raw.rejected_records").fetchall()
        cursor = connection.execute("select * from raw.won_deals")
        names = [name for name, *_ in cursor.description or []]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Loaded(rejected, {row["id"]: row for row in found})


@pytest.mark.parametrize(("record", "reason"), SET_ASIDE.values(), ids=SET_ASIDE)
def test_records_that_cannot_be_loaded_are_rejected(record: Any, reason: str, loaded: Loaded) -> None:
    sent = json.loads(record, parse_int=str) if isinstance(record, bytes) else record
    [found] = [why for text, why in loaded.rejected if repr(json.loads(text)) == repr(sent)]  # repr tells True from 1
    assert reason in found


@pytest.mark.parametrize(("fault", "columns"), [(name, columns) for name, (_, columns) in KEPT.items()], ids=KEPT)
def test_unusual_values_are_kept(fault: str, columns: dict[str, Any], loaded: Loaded) -> None:
    row = loaded.rows[list(KEPT).index(fault)]
    assert {name: row[name] for name in columns} == columns


def test_usual_records_among_them_are_loaded(loaded: Loaded) -> None:
    assert loaded.rows.keys() == {*range(len(KEPT)), 1000, 1001}
