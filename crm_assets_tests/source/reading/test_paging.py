"""Every record of every page, with as few requests as it takes, whatever the API tells of its lists."""

import re
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.errors import BadAnswer
from crm_assets_tests.scripted_crm import Seen, always, configured_crm, json_response, tasks
from crm_assets_tests.source.source_reads import read

SHAPES = [
    pytest.param(0, (), [1], [1, 2], id="empty"),
    pytest.param(1, (), [1, 2], [1, 2, 3], id="one-record"),
    pytest.param(49, (), [1, 2], [1, 2, 3], id="one-short-page"),
    pytest.param(50, (), [1, 2], [1, 2, 3], id="one-full-page"),
    pytest.param(51, (), [1, 2], [1, 2, 3, 4], id="one-more"),
    pytest.param(150, (), [1, 2, 3, 4], [1, 2, 3, 4, 5], id="full-last-page"),
    pytest.param(420, (), list(range(1, 10)), list(range(1, 12)), id="many-pages"),
    pytest.param(130, (50, 20, 50, 10), [1, 2, 3, 4], [1, 2, 3, 4, 5, 6], id="short-page-before-the-end"),
    pytest.param(60, (1, 49, 3, 7), [1, 2, 3, 4], [1, 2, 3, 4, 5, 6], id="pages-of-any-size"),
]


@pytest.mark.slow
@pytest.mark.usefixtures("_in_turn")
@pytest.mark.parametrize(("rows", "page_sizes", "with_total", "without_total"), SHAPES)
@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_each_page_is_asked_for_once_and_in_order(
    rows: int, page_sizes: tuple[int, ...], with_total: list[int], without_total: list[int], with_meta: bool
) -> None:
    lists = {"open_tasks": tasks(rows)}
    with configured_crm(lists=lists, page_sizes=page_sizes, with_meta=with_meta) as crm:
        reading = read()
    assert crm.pages("open_tasks") == (with_total if with_meta else without_total)
    assert reading.ids == list(range(1, rows + 1))
    assert (reading.report.rows_read, reading.report.complete) == (rows, True)
    assert reading.report.rows_in_source == (rows if with_meta else None)
    assert (reading.report.requests, reading.report.retries) == (len(crm.seen), 0)


def test_total_far_beyond_a_short_list_takes_few_requests() -> None:
    lists = {"open_tasks": tasks(30)}
    with configured_crm(lists=lists, total=lambda _seen, _true: 2**63 - 1, latency=0.02) as crm:
        reading = read()
    assert set(reading.ids) == set(range(1, 31))
    assert "counts 9223372036854775807 records and listed 30" in reading.report.incomplete_because
    assert len(crm.seen) <= 6


@pytest.mark.parametrize(("meta", "why"), [({}, "no more than 1 page,"), ({"meta": {"total": 70}}, "^$")])
def test_larger_pages_than_asked_for_that_repeat_are_loaded(meta: dict[str, Any], why: str) -> None:
    whole = {"tasks": tasks(70), **meta}
    with configured_crm(faults=[always("open_tasks", lambda: json_response(whole))]) as crm:
        reading = read()
    assert set(reading.ids) == set(range(1, 71))
    assert re.search(why, reading.report.incomplete_because)
    assert len(crm.seen) < 15


@pytest.mark.slow
@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
@pytest.mark.parametrize("rows", [130, 1000], ids=["few-pages", "many-pages"])
def test_several_pages_at_a_time_are_asked_for_once_each(rows: int, with_meta: bool) -> None:
    with configured_crm(lists={"open_tasks": tasks(rows)}, with_meta=with_meta, latency=0.01) as crm:
        reading = read()
    pages = -(-rows // 50)
    asked = sorted(crm.pages("open_tasks"))
    assert asked == list(range(1, len(asked) + 1))
    full_last_page = rows % 50 == 0
    assert len(asked) == pages + full_last_page if with_meta else pages < len(asked) <= pages + 8
    assert reading.ids == list(range(1, rows + 1))
    assert reading.report.complete


@pytest.mark.parametrize(
    ("setting", "asked", "pages"),
    [(None, "50", [1, 2, 3]), ("100", "100", [1, 2]), ("7", "7", list(range(1, 19)))],
    ids=["default", "cap", "small"],
)
@pytest.mark.usefixtures("_in_turn")
def test_the_page_size_is_a_setting(
    setting: str | None, asked: str, pages: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if setting:
        monkeypatch.setenv("SOURCES__CRM__PER_PAGE", setting)
    with configured_crm(lists={"open_tasks": tasks(120)}) as crm:
        reading = read()
    assert {seen.params["per_page"] for seen in crm.seen} == {asked}
    assert crm.pages("open_tasks") == pages
    assert len(reading.records) == 120


def test_arrays_that_come_along_are_not_taken_for_the_records() -> None:
    with configured_crm(lists={"open_tasks": tasks(60)}, side_loaded={"users": [{"id": 1}]}):
        reading = read()
    assert reading.ids == list(range(1, 61))
    assert {record["title"] for record in reading.records} == {f"Task {id_}" for id_ in range(1, 61)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "total",
    [
        pytest.param(lambda _seen, _true: 60, id="too-small"),
        pytest.param(lambda _seen, _true: 0, id="none"),
        pytest.param(lambda seen, true: 60 if seen.page == 2 else true, id="too-small-on-one-page"),
        pytest.param(lambda _seen, true: true + 7, id="too-large"),
        pytest.param(lambda _seen, true: true + 500, id="far-too-large"),
        pytest.param(lambda seen, true: true + 500 if seen.page == 1 else true, id="too-large-on-the-first-page"),
        pytest.param(lambda _seen, true: f"{true}", id="as-text"),
        pytest.param(lambda _seen, _true: "many", id="not-a-number"),
        pytest.param(lambda _seen, _true: None, id="null"),
        pytest.param(lambda _seen, _true: -1, id="negative"),
    ],
)
def test_a_wrong_total_loses_nothing(total: Any) -> None:
    with configured_crm(lists={"open_tasks": tasks(170)}, total=total) as crm:
        reading = read()
    assert set(reading.ids) == set(range(1, 171))
    assert reading.report.rows_read == 170
    assert len(crm.seen) < 150


@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_cap_that_repeats_the_last_page_is_incomplete(with_meta: bool) -> None:
    def capped(seen: Seen) -> Response | None:
        meta = {"meta": {"total": 300}} if with_meta else {}
        return json_response({"tasks": tasks(150)[100:], **meta}) if seen.page > 3 else None

    with configured_crm(lists={"open_tasks": tasks(300)}, with_meta=with_meta, faults=[capped]):
        reading = read()
    assert set(reading.ids) == set(range(1, 151))
    assert "no more than 3 pages" in reading.report.incomplete_because


def test_repeated_short_last_page_ends_the_list() -> None:
    def clamped(seen: Seen) -> Response | None:
        return json_response({"tasks": tasks(120)[100:]}) if seen.page > 3 else None

    with configured_crm(lists={"open_tasks": tasks(120)}, with_meta=False, faults=[clamped]):
        reading = read()
    assert set(reading.ids) == set(range(1, 121))
    assert reading.report.complete


@pytest.mark.parametrize("with_meta", [True, False], ids=["meta", "no-meta"])
def test_page_sent_instead_of_another_is_incomplete(with_meta: bool) -> None:
    def repeating(seen: Seen) -> Response | None:
        meta = {"meta": {"total": 300}} if with_meta else {}
        return json_response({"tasks": tasks(100)[50:], **meta}) if seen.page == 3 else None

    with configured_crm(lists={"open_tasks": tasks(300)}, with_meta=with_meta, faults=[repeating]):
        reading = read()
    assert reading.report.rows_read == 250
    assert not reading.report.complete


WITHOUT_IDS = [{"id": f"u-{n}"} for n in range(150)]


@pytest.mark.parametrize("shown", ["first", "last", "in turn"])
def test_pages_without_usable_ids_that_repeat_end_the_read(shown: str) -> None:

    def repeating(seen: Seen) -> Response | None:
        page = {"first": 0, "last": min(seen.page, 3) - 1, "in turn": (seen.page - 1) % 3}[shown]
        return json_response({"tasks": [] if seen.page > 40 else WITHOUT_IDS[50 * page :][:50]})

    with configured_crm(faults=[repeating]) as crm:
        if shown == "first":
            with pytest.raises(BadAnswer, match="ignore the query parameter `page`"):
                read()
        else:
            report = read().report
            assert (report.rows_read, report.complete) == (150, False)
    assert len(crm.seen) < 20
