"""The fault matrix: faults of an API, one by one, and the result of a read.

What passes is tried again, and leaves no trace in the table. What will not pass is reported at once, in one sentence
that shows nothing of the data, and the table stays as it was. What ends a list early is reported, and what came before
it is loaded. Those that pass are materialized, the others are only read: `assets/` has what a failed read leaves.

Records and values: `test_fault_matrix_of_records.py`. Answers that come drop by drop or do not end:
`source/http/test_bounded.py`. What happens to a machine instead of an API: `warehouse/test_crash.py`,
`warehouse/test_warehouse.py`.
"""

import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.errors import ApiError, ApiUnavailable
from crm_assets.source.http import attempts
from crm_assets_tests.assets.raw_runs import Run, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.faulty_answers import Dropped, Endless, HungUp, Unmeasured
from crm_assets_tests.scripted_crm import ScriptedCrm, always, configured_crm, failing, json_response, tasks
from crm_assets_tests.source.source_reads import read

pytestmark = pytest.mark.slow

PERSON = "Jane Doe"
NOW = [task | {"title": "Changed"} for task in tasks(1800)]


def body(content: Any) -> Response:
    """A page with status 200 that holds just this."""
    packed = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(packed, media_type="application/json")


def whole(records: list[dict[str, Any]]) -> bytes:
    """The body of a page."""
    return json.dumps({"tasks": records}).encode()


def packed(content: bytes, status: int = 200, encoding: str = "gzip") -> Response:
    """A page that says of itself that it is compressed."""
    return Response(content, status, headers={"Content-Encoding": encoding}, media_type="application/json")


def damaged(content: bytes) -> bytes:
    """The content with another byte in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


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
    **{
        f"an answer in {encoding} breaks off": (partial(body, '{"tasks": [{"id": 1}, {"id": 2}'.encode(encoding)), 1)
        for encoding in ("utf-16", "utf-16-be", "utf-32-le")
    },
    "gzip breaks off": (lambda: packed(gzip.compress(whole(NOW))[:-99]), 1),
    "gzip breaks off in its first bytes": (lambda: packed(gzip.compress(whole(NOW))[:5]), 1),
    "gzip is damaged": (lambda: packed(damaged(gzip.compress(whole(NOW)))), 2),
    "deflate is damaged": (lambda: packed(damaged(zlib.compress(whole(NOW))), encoding="deflate"), 1),
    "503 with a body that is not gzip": (lambda: packed(b"<html></html>", 503), 1),
    "200 with an error and no records": (lambda: body({"tasks": [], "errors": {"base": ["Overloaded"]}}), 1),
    "200 with an error and some records": (lambda: body({"tasks": NOW[:1], "error": "partial"}), 2),
    "200 with the code of a limit": (lambda: body({"status": "error", "code": 429, "message": "Slow down"}), 1),
    "200 without success": (lambda: body({"success": False}), 1),
    "200 with a gateway's error": (lambda: body({"errorMessage": "Task timed out", "errorType": "Timeout"}), 1),
    **{str(status): (partial(Response, "", status), 1) for status in (507, 521, 522, 529, 530, 599)},
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
    found = rows("select id, title from raw.open_tasks order by id", database)
    assert found == [(record["id"], record["title"]) for record in NOW]


LASTING: dict[str, tuple[Callable[[], Response], str]] = {
    "500 each time": (lambda: json_response({"message": "Out of order"}, 500), "status 500, 'Out of order'"),
    "524 each time": (lambda: Response("", 524), "status 524"),
    "429 each time": (lambda: Response("", 429, headers={"Retry-After": "0"}), "status 429"),
    "the connection is closed each time": (HungUp, "SOURCES__CRM__BASE_URL"),
    "the answer breaks off each time": (lambda: body(b'{"tasks": [{"title": "Jane'), "breaks off after 26 bytes"),
    "gzip is damaged each time": (lambda: packed(damaged(gzip.compress(whole(NOW)))), "damaged.*Every retry failed"),
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
    **{
        str(status): (partial(json_response, {"errors": {"message": ["Bad page"]}}, status), f"{status}, 'Bad page'")
        for status in (201, 400, 402, 405, 409, 410, 418, 423, 426, 451, 501, 505)
    },
    "401 with a body that is not gzip": (lambda: packed(b"<html></html>", 401), "status 401.*SOURCES__CRM__API_KEY"),
    "401": (lambda: Response("", 401), "status 401.*SOURCES__CRM__API_KEY"),
    "403": (lambda: json_response({"message": "No", "name": PERSON}, 403), "status 403, 'No'.*SOURCES__CRM__API_KEY"),
    "a wait longer than is allowed": (
        lambda: Response("", 503, headers={"Retry-After": "7200"}),
        "7,200 s.*REQUEST_MAX_WAIT",
    ),
    "404": (lambda: Response("", 404), "status 404.*SOURCES__CRM__ENDPOINTS"),
    "422": (lambda: json_response({"errors": ["No such filter"]}, 422), "'No such filter'.*SOURCES__CRM__ENDPOINTS"),
    "204 without content": (lambda: Response(status_code=204), "status 204"),
    "a web page with status 200": (lambda: body(f"<html>{PERSON}</html>".encode()), "not JSON.*SOURCES__CRM__BASE_URL"),
    "an empty body": (lambda: body(b""), "not JSON"),
    "a body with a guard before it": (lambda: body(b")]}',\n" + whole(NOW)), re.escape('begins with ")]}\',"')),
    "a body with more after it": (lambda: body(b'{"tasks": []} ' + PERSON.encode()), "not JSON: extra data .* 15"),
    "a body that is not UTF-8": (lambda: body(b"\xff\xfe" + PERSON.encode("utf-16-le")), "not JSON"),
    "a body that does not end": (lambda: Endless(b" " * 2**16, pause=0), "does not end"),
    "gzip that unpacks to far more": (lambda: packed(gzip.compress(b" " * 2**25)), "does not end"),
    "a redirect to itself": (lambda: Response("", 302, headers={"Location": "/v1/tasks"}), "302.*BASE_URL"),
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
    "a text in place of the list": (lambda: body({"tasks": PERSON}), "'tasks' is not an array of records but a string"),
    "null in place of the list": (lambda: body({"tasks": None}), "'tasks' is not an array of records but null"),
    "more than twice the records": (lambda: body({"tasks": tasks(101)}), "101 records, more than.*PER_PAGE"),
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
    monkeypatch.setattr(attempts, "MAX_ANSWER_BYTES", 2**24)
    crm.faults.append(always("open_tasks", answer))
    with pytest.raises(ApiError, match=f"^open_tasks, page [1-9]: .*{message}") as raised:
        read()
    assert crm.pages("open_tasks").count(1) == 1
    assert not raised.value.may_recover
    assert len(str(raised.value)) < 500
    assert PERSON not in str(raised.value)


ENDS_EARLY: dict[str, tuple[Callable[[], Response], str]] = {
    "200 with a 404 after page 2": (
        lambda: body({"error": {"code": 404, "message": "No such page"}}),
        "no more than 2 pages, 100 of 130 records.*code 404",
    ),
    "204 after page 2": (lambda: Response(status_code=204), "no more than 2 pages, 100 of 130 records.*status 204"),
    "400 after page 2": (lambda: Response("", 400), "no more than 2 pages, 100 of 130 records.*status 400"),
    "404 after page 2": (lambda: Response("", 404), "no more than 2 pages, 100 of 130 records.*status 404"),
    "416 after page 2": (lambda: Response("", 416), "no more than 2 pages, 100 of 130 records.*status 416"),
    "422 after page 2": (lambda: Response("", 422), "no more than 2 pages, 100 of 130 records.*status 422"),
    "null after page 2": (lambda: body({"tasks": None}), "no more than 2 pages, 100 of 130 records.*'tasks' is null"),
    "null and a total after page 2": (
        lambda: body({"tasks": None, "meta": {"total": 130}}),
        "counts 130 records and listed 100.*total_is_exact",
    ),
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
