"""Where a list ends: at empty pages, and at pages that the API refuses, if no cap refuses them."""

import re
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.errors import ApiUnavailable
from crm_assets_tests.scripted_crm import Fault, Seen, configured_crm, failing, json_response, tasks
from crm_assets_tests.source.source_reads import read


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "meta", "complete"),
    [
        pytest.param(100, {"meta": {"total": 100}}, True, id="a total that was reached"),
        pytest.param(0, {"meta": {"total": 0}}, True, id="a total of 0"),
        pytest.param(120, {}, True, id="no total, after a short page"),
        pytest.param(100, {}, False, id="no total, after a full page"),
    ],
)
def test_null_past_the_end_ends_the_list(rows: int, meta: dict[str, Any], complete: bool) -> None:
    past_the_end = {"tasks": None, **meta}
    with configured_crm(lists={"open_tasks": tasks(rows)}, with_meta=bool(meta)) as crm:
        crm.faults.append(lambda seen: json_response(past_the_end) if seen.page > -(-rows // 50) else None)
        reading = read()
    assert reading.report.complete is complete
    assert reading.ids == list(range(1, rows + 1))


def refused_behind(rows: int, status: int) -> Fault:
    """Refuses pages that begin behind some rows."""
    return lambda seen: (
        json_response({"message": "Invalid page"}, status)
        if seen.page > 1 and (seen.page - 1) * int(seen.params["per_page"]) >= rows
        else None
    )


@pytest.mark.slow
@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("rows", [1, 30, 100, 120])
def test_list_that_ends_before_a_refused_page_is_complete(rows: int, status: int, with_meta: bool) -> None:
    faults = [refused_behind(rows, status)]
    with configured_crm(lists={"open_tasks": tasks(rows)}, with_meta=with_meta, faults=faults) as crm:
        reading = read()
    assert set(reading.ids) == set(range(1, rows + 1))
    assert reading.report.complete
    assert len(crm.seen) - reading.report.retries <= -(-rows // 50) + 2


@pytest.mark.parametrize("total", [None, lambda _seen, _true: 100], ids=["no-meta", "capped"])
@pytest.mark.parametrize("status", [400, 410, 200])
def test_a_cap_that_refuses_pages_is_not_the_end(status: int, total: Any) -> None:
    def capped(seen: Seen) -> Response | None:
        behind = seen.page * int(seen.params["per_page"]) > 100
        return json_response({"error": {"code": 400, "message": "Too deep"}}, status) if behind else None

    lists = {"open_tasks": tasks(300)}
    with configured_crm(lists=lists, with_meta=bool(total), total=total, faults=[capped]):
        reading = read()
    assert set(reading.ids) == set(range(1, 101))
    assert "no more than 2 pages" in reading.report.incomplete_because


def test_list_with_all_counted_records_is_incomplete_while_the_next_page_fails() -> None:
    def broken(seen: Seen) -> Response | None:
        return Response(status_code=500) if seen.page == 2 else None

    with configured_crm(lists={"open_tasks": tasks(8)}, faults=[broken]):
        reading = read()
    assert reading.ids == list(range(1, 9))
    because = r"the API lists no more than 1 page, 8 records, as many as it counts \(open_tasks, page 2: status 500"
    assert re.match(because, reading.report.incomplete_because)


@pytest.mark.parametrize("page_sizes", [(), (50, 20, 50, 50)], ids=["full-pages", "short-page-before"])
def test_page_that_always_fails_is_not_the_end(page_sizes: tuple[int, ...]) -> None:
    def broken(seen: Seen) -> Response | None:
        return Response(status_code=500) if seen.page == 3 else None

    lists = {"open_tasks": tasks(170)}
    with (
        configured_crm(lists=lists, with_meta=False, page_sizes=page_sizes, faults=[broken]),
        pytest.raises(ApiUnavailable, match="open_tasks, page 3: status 500"),
    ):
        read()


@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
@pytest.mark.parametrize("page", [1, 3])
def test_an_empty_page_before_others_is_read_again(page: int, with_meta: bool) -> None:
    meta = {"meta": {"total": 270}} if with_meta else {}
    fault = failing("open_tasks", page=page, answers=[json_response({"tasks": [], **meta})])
    with configured_crm(lists={"open_tasks": tasks(270)}, with_meta=with_meta, faults=[fault]) as crm:
        reading = read()
    assert set(reading.ids) == set(range(1, 271))
    assert reading.report.complete
    assert len(crm.seen) <= 10


@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_an_empty_page_is_not_the_end(with_meta: bool) -> None:
    lists, sizes = {"open_tasks": tasks(170)}, (50, 50, 0, 50, 20)
    with configured_crm(lists=lists, with_meta=with_meta, page_sizes=sizes):
        reading = read()
    assert set(reading.ids) == set(range(1, 171))
    assert reading.report.complete


@pytest.mark.parametrize(
    ("rows", "pages", "exact", "complete"),
    [(120, 3, "", True), (120, 5, "", False), (120, 5, "false", True), (120, 1, "", True), (0, 1, "", True)],
    ids=["right", "too-many", "not-exact", "too-few", "empty"],
)
def test_list_that_ends_before_the_last_page_that_the_api_counts_is_incomplete(
    rows: int, pages: int, exact: str, complete: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__OPEN_TASKS__TOTAL_IS_EXACT", exact or "true")
    records = tasks(rows)

    def only_pages(seen: Seen) -> Response:
        cut = records[(seen.page - 1) * 50 : seen.page * 50]
        return json_response({"tasks": cut, "meta": {"total_pages": pages}})

    with configured_crm(faults=[only_pages]) as crm:
        reading = read()
    assert reading.report.complete is complete
    assert complete or reading.report.incomplete_because.startswith("the API counts 5 pages and listed 3.")
    assert set(reading.ids) == set(range(1, rows + 1))
    assert len(crm.seen) < 3 * max(3, pages)
