"""The estimates of a check, compared with the reads that follow."""

from datetime import timedelta
from typing import Any

import pytest
from dagster import ScheduleDefinition

from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets.probing.sample import Read
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.probing.checked_crm import NOW, check, linked, of, tidy_crm

SENT = "select resource, requests from raw.sync_log where mode = '{}'"


def expected(read: Read | None) -> tuple[int, str] | None:
    """The requests of a read, and how exact that is."""
    return (read.requests, read.bound) if read else None


def lists(*counts: int) -> dict[str, list[Any]]:
    """Lists of the first resources, of so many records; others are empty."""
    return {resource: linked(count) for resource, count in zip(ENDPOINTS, counts, strict=False)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("per_page", "counts", "granted", "latency"),
    [
        pytest.param(10, (0, 1, 10, 95, 730), None, 0, id="small-pages"),
        pytest.param(10, (0, 1, 10, 95, 730), None, 0.005, id="small-pages-ahead"),
        pytest.param(100, (100, 101, 250, 900, 1999), None, 0, id="large-pages"),
        pytest.param(100, (400, 375, 390, 376, 400), 25, 0.005, id="smaller-than-asked-for"),
    ],
)
def test_estimate_of_a_full_read_is_right(
    per_page: int,
    counts: tuple[int, ...],
    granted: int | None,
    latency: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", str(per_page))
    page_sizes = [granted] * 16 if granted else []
    with tidy_crm(lists=lists(*counts), page_sizes=page_sizes, latency=latency) as crm:
        findings = check(crm)
        assert materialize().success
    sent = dict(rows(SENT.format("full")))
    for found in findings.lists:
        assert found.full is not None
        assert found.full.bound == "about"
        assert abs(found.full.requests - sent[found.resource]) <= 0.1 * sent[found.resource], found.resource
    assert abs(findings.full.requests - sum(sent.values())) <= 0.1 * sum(sent.values())


@pytest.mark.long
def test_estimate_of_an_incremental_read_is_right() -> None:
    with tidy_crm(lists=lists(500, 40, 120, 300, 60), sorts=frozenset({"accounts", "contacts", "won_deals"})) as crm:
        crm.lists["open_tasks"].reverse()
        crm.lists["past_appointments"].reverse()
        findings = check(crm)
        assert materialize().success
        assert materialize(mode="incremental").success
    sent = dict(rows(SENT.format("incremental")))
    # Those that do not sort are logged as the full reads that they were.
    assert {resource: expected(of(findings, resource).hourly) for resource in sent} == {
        resource: (number, "about") for resource, number in sent.items()
    }
    assert expected(of(findings, "open_tasks").hourly) == expected(of(findings, "open_tasks").full) == (7, "about")


@pytest.mark.parametrize(
    ("minutes_apart", "hourly"),
    [
        # 65 minutes count, the lag of 5 among them: 14 records of the first page, and a page that is older.
        pytest.param(5, (2, "about"), id="counted"),
        # All of page 1 changed within 9 minutes, so 72 may have within 65: 8 pages, an older one, and 2 ahead in vain.
        pytest.param(1, (11, "at most"), id="extrapolated"),
    ],
)
def test_changes_are_expected_to_go_on_as_in_the_last_hour(
    minutes_apart: int, hourly: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "20" if minutes_apart > 1 else "10")
    records = [
        {"id": id_, "updated_at": (NOW - timedelta(minutes=minutes_apart * id_)).isoformat()} for id_ in range(500)
    ]
    with tidy_crm(lists={"accounts": records}) as crm:
        assert expected(of(check(crm), "accounts").hourly) == hourly


def test_list_without_a_total_has_a_lower_bound() -> None:
    with tidy_crm(lists=lists(0, 30, 50, 51, 500), with_meta=False) as crm:
        findings = check(crm)
    at_least = (4, "at least")
    assert [expected(each.full) for each in findings.lists] == [(2, "about"), *[(3, "about")] * 2, *[at_least] * 2]
    assert findings.full.bound == "at least"


@pytest.mark.slow
def test_a_capped_list_has_an_upper_bound() -> None:
    with tidy_crm(lists=lists(0, 0, 0, 100, 0), total=lambda _, true: 170 if true else 0) as crm:
        findings = check(crm)
        assert materialize("open_tasks").success
    [[sent]] = rows("select requests from raw.sync_log")
    full = of(findings, "open_tasks").full
    assert full is not None
    assert (full.bound, full.requests >= sent) == ("at most", True)


@pytest.mark.slow
def test_requests_in_flight_share_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {}
    for in_flight in (1, 10):
        monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", str(in_flight))
        with tidy_crm(lists=lists(0, 0, 0, 5000, 0), latency=0.02) as crm:
            seconds[in_flight] = check(crm).full.seconds
    assert seconds[1] > 3 * seconds[10]


def test_the_schedules_are_those_that_the_check_reckons_with() -> None:
    """Each list incrementally once an hour, and all of them in full once a day."""
    minutes, hours = {}, {}
    for schedule in defs.schedules or []:
        assert isinstance(schedule, ScheduleDefinition)
        minutes[schedule.job_name], hours[schedule.job_name], *days = str(schedule.cron_schedule).split()
        assert days == ["*", "*", "*"]
    assert all(minute.isdecimal() for minute in minutes.values())
    assert hours.pop("crm_full_refresh").isdecimal()
    assert hours == {f"{resource}_sync": "*" for resource in ENDPOINTS}
