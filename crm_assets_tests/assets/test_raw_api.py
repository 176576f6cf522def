"""An API that lists fewer records than it has, or another list than before: what is loaded, reported and visible."""

import json
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.responses import Response

from crm_assets.__main__ import main
from crm_assets.loading.sync_log import ListRequest, read_cursor, write_sync_log
from crm_assets.settings import resolve_settings
from crm_assets.source.http import limits
from crm_assets.source.reading.report import ReadReport
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.models.raw_tables import FIRST, RawTables
from crm_assets_tests.processes import exit_codes, started
from crm_assets_tests.scripted_crm import KEY, Seen, configured_crm, json_response, scripted_crm, tasks

pytestmark = pytest.mark.slow

PRESENT = """
select count(*)
from raw.{resource}
where _dlt_load_id >= (select max(_dlt_load_id) from raw.sync_log where mode = 'full' and complete)
"""
"""Rows that staging shows."""


def endpoints(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", json.dumps(settings))


# A list that is shorter than the API says


@pytest.mark.long
@pytest.mark.parametrize("listed", [100, 1])
def test_list_shorter_than_its_total_lets_nothing_vanish(listed: int) -> None:
    with configured_crm(lists={"open_tasks": tasks(170)}, total=lambda _seen, _true: 170) as crm:
        assert materialize("open_tasks").metadata("open_tasks")["crm/complete"] is True
        crm.lists["open_tasks"] = tasks(listed)
        run = materialize("open_tasks")
    assert run.success
    assert run.metadata("open_tasks")["crm/complete"] is False
    assert rows(PRESENT.format(resource="open_tasks")) == [(170,)]
    check = run.check("complete_read")
    assert not check.passed
    for word in (f"counts 170 records and listed {listed}", "total_is_exact", "SOURCES__CRM__ENDPOINTS"):
        assert word in (check.description or "")


def test_an_inexact_total_does_not_make_a_read_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints(monkeypatch, open_tasks={"total_is_exact": False})
    with configured_crm(lists={"open_tasks": tasks(100)}, total=lambda _seen, _true: 170) as crm:
        materialize("open_tasks")
        crm.lists["open_tasks"] = tasks(60)
        crm.seen.clear()
        run = materialize("open_tasks")
    assert run.metadata("open_tasks")["crm/complete"] is True
    assert run.check("complete_read").passed
    assert run.check("rows_match_source").passed
    assert rows(PRESENT.format(resource="open_tasks")) == [(60,)]
    assert crm.pages("open_tasks").count(1) == 1


def test_a_total_that_is_too_low_is_not_taken_for_none() -> None:
    with configured_crm(lists={"open_tasks": tasks(60)}, total=lambda _seen, _true: 40):
        run = materialize("open_tasks")
    assert rows(PRESENT.format(resource="open_tasks")) == [(60,)]
    found = run.check("rows_match_source").description
    assert found == "the API does not count its records, or counts fewer than it lists"


def test_whole_list_after_a_short_one_counts_again() -> None:
    with configured_crm(lists={"open_tasks": tasks(100)}, total=lambda _seen, true: max(true, 100)) as crm:
        for listed in (100, 60):
            crm.lists["open_tasks"] = tasks(listed)
            materialize("open_tasks")
        crm.total = None
        run = materialize("open_tasks")
    assert run.check("complete_read").passed
    assert rows(PRESENT.format(resource="open_tasks")) == [(60,)]


# A list that is cut at a page


def capped(page: int, status: int) -> Any:
    """Refuses the pages behind this one."""

    def fault(seen: Seen) -> Response | None:
        return json_response({"message": "Too deep"}, status) if seen.page > page else None

    return fault


@pytest.mark.parametrize(("cap", "status", "with_meta"), [(1, 404, True), (2, 416, False)])
def test_records_before_a_cap_are_loaded_and_the_cap_is_reported(
    cap: int, status: int, with_meta: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "5")
    with configured_crm(lists={"open_tasks": tasks(150)}, with_meta=with_meta) as crm:
        materialize("open_tasks")
        crm.faults.append(capped(cap, status))
        crm.lists["open_tasks"] = [task | {"title": "Changed"} for task in tasks(150)]
        run = materialize("open_tasks")
    assert run.success
    assert rows("select count(*) from raw.open_tasks where title = 'Changed'") == [(5 * cap,)]
    assert rows(PRESENT.format(resource="open_tasks")) == [(150,)]
    assert run.metadata("open_tasks")["crm/complete"] is False
    assert run.attempts("open_tasks") == 1
    check = run.check("complete_read")
    assert not check.passed
    pages = "1 page" if cap == 1 else f"{cap} pages"
    for word in (f"no more than {pages}, {5 * cap}", f"status {status}, 'Too deep'", "SOURCES__CRM__ENDPOINTS"):
        assert word in (check.description or "")


# An allowance


@pytest.mark.file  # a lake has a ledger of its own
def test_requests_of_earlier_runs_count_for_an_hourly_rate(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(limits, "MIN_WAIT_TO_LOG", 0.1)
    with configured_crm(lists={"open_tasks": tasks(150)}) as crm:
        materialize("open_tasks")
        sent = len(crm.seen)
        # As in another process, where nothing was sent yet.
        limits._limits.cache_clear()
        began = crm.seen[0].at
        hour = 2 * (time.monotonic() - began) + 3  # enough for the next run to begin within it
        monkeypatch.setattr(limits, "HOUR", hour)
        monkeypatch.setenv("SOURCES__CRM__REQUESTS_PER_HOUR", str(sent + 1))
        materialize("open_tasks")
    later = crm.seen[sent + 1 :]
    assert later
    assert min(seen.at for seen in later) - began >= hour - 1  # the read had begun before its first request came
    assert f"SOURCES__CRM__REQUESTS_PER_HOUR ({sent + 1}) is used up" in capfd.readouterr().err


# Another list than before


def contacts(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "updated_at": f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z"} for n in range(count)]


OTHER_LISTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another parameter": ({}, {"params": {"include": "sales_accounts"}}),
    "another value": ({"params": {"include": "owner"}}, {"params": {"include": "sales_accounts"}}),
    "a parameter less": ({"params": {"include": "owner", "filter": "mine"}}, {"params": {"include": "owner"}}),
    "a value of another type": ({"params": {"deep": True}}, {"params": {"deep": "yes"}}),
    "another path": ({"path": "/v1/contacts"}, {"path": "/v1/contacts/view/4000123"}),
}
SAME_LISTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "the usual path, spelt out": ({}, {"path": "/v1/contacts"}),
    "parameters in another order": ({"params": {"a": 1, "b": 2}}, {"params": {"b": 2, "a": 1}}),
    "how far the total counts": ({}, {"total_is_exact": False}),
}
"""What the settings say of contacts before and after."""


@pytest.mark.file
@pytest.mark.parametrize(
    ("before", "after", "is_other"),
    [
        pytest.param(*pair, pair in OTHER_LISTS.values(), id=name)
        for name, pair in {**OTHER_LISTS, **SAME_LISTS}.items()
    ],
)
def test_cursor_is_that_of_the_list(
    before: dict[str, Any], after: dict[str, Any], is_other: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(**settings: Any) -> ListRequest:
        endpoints(monkeypatch, contacts=settings)
        found = resolve_settings()
        return ListRequest.of("https://crm.invalid", found.path("contacts"), found.endpoint("contacts").params)

    with duckdb.connect() as connection:
        tables = RawTables(connection)
        tables.add("contacts", 1, updated_at=datetime.now(timezone.utc))
        write_sync_log(connection, ReadReport("contacts", incomplete_because=""), asked(**before), FIRST)
        cursor = read_cursor(connection, "contacts", asked(**after), lag=0)
    assert isinstance(cursor, str) is is_other


@pytest.mark.long
def test_another_list_is_read_in_full_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "10")
    before, after = OTHER_LISTS["another path"]
    with configured_crm(lists={"contacts": contacts(60)}, paths={"contacts": "/v1/{any:path}"}):
        endpoints(monkeypatch, contacts=before)
        materialize("contacts")
        endpoints(monkeypatch, contacts=after)
        modes = [materialize("contacts", mode="incremental").metadata("contacts")["crm/mode"] for _ in range(2)]
    assert modes == ["full", "incremental"]


# Another CRM


@pytest.mark.long
@pytest.mark.parametrize(("resource", "mode"), [("accounts", "incremental"), ("contacts", "full")])
def test_records_of_another_crm_are_not_mixed_in(
    mode: str, resource: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted_crm(lists={"accounts": contacts(3)}) as one, scripted_crm(lists={resource: contacts(5)}) as other:
        for name, value in one.settings().items():
            monkeypatch.setenv(name, value)
        assert materialize("accounts").success
        before = rows("from raw.accounts order by id")
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", other.base_url)
        run = materialize(resource, mode=mode)
        assert not run.success
        assert (run.attempts(resource), other.seen) == (1, [])
        for word in (one.base_url, other.base_url, "CRM_DATA_DIR", "accept-address"):
            assert word in run.failure(resource)
        assert rows("from raw.accounts order by id") == before
        assert rows("select count(*) from raw.sync_log") == [(1,)]

        assert main(["accept-address"]) == 0
        assert other.base_url in capsys.readouterr().out
        run = materialize(resource, mode=mode)
    assert run.success
    assert rows(f"select count(*) from raw.{resource}") == [(5,)]


def test_another_crm_that_is_loaded_during_a_first_read_is_not_mixed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_crm(lists={"accounts": contacts(3)}) as one, scripted_crm(lists={"accounts": contacts(5)}) as other:
        other.holds_back = lambda _: True
        for name, value in other.settings().items():
            monkeypatch.setenv(name, value)
        process = started(materialize, "accounts")
        while not other.seen and process.is_alive():
            time.sleep(0.02)
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", one.base_url)
        assert materialize("accounts").success
        other.holds_back = None
        assert exit_codes(process) == [0]
    assert len(other.seen) > 0
    assert rows("select count(*) from raw.accounts") == [(3,)]
    assert rows("select base_url from raw.sync_details") == [(one.base_url,)]


def test_trailing_slash_makes_no_other_crm(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"accounts": contacts(3)}) as crm:
        assert materialize("accounts").success
        with monkeypatch.context() as spelt_otherwise:
            spelt_otherwise.setenv("SOURCES__CRM__BASE_URL", f"{crm.base_url}/")
            assert materialize("accounts").success


def test_another_crm_may_have_a_folder_of_its_own(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "other"):
        use_data_dir(monkeypatch, data_dir / name)
        with scripted_crm(lists={"accounts": contacts(3)}), configured_crm(lists={"accounts": contacts(3)}):
            assert materialize("accounts").success


@pytest.mark.parametrize("is_configured", [True, False], ids=["nothing loaded", "no CRM configured"])
def test_accepting_without_a_crm_or_records_is_an_error(
    is_configured: bool, database: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_configured:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.invalid")
        monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    assert main(["accept-address"]) == 1
    assert (" yet" if is_configured else "No CRM is configured") in capsys.readouterr().err
    assert not database.exists()
