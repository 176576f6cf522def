"""One resource that fails stops no other, is tried again only if that can help, and leaves its table as it was."""

from pathlib import Path

import pytest
from starlette.responses import Response

from crm_assets.api import ENDPOINTS
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.scripted_crm import always, configured_crm, json_response, tasks

pytestmark = pytest.mark.slow

PERSON = "Jane Doe"


def test_silent_resource_is_retried_and_others_are_loaded() -> None:
    with configured_crm(lists={resource: [{"id": 1}] for resource in ENDPOINTS}) as crm:
        crm.faults.append(always("contacts", lambda: json_response({"message": "Out of order"}, 500)))
        run = materialize()
    assert not run.success
    assert run.materialized == ENDPOINTS.keys() - {"contacts"}
    assert (run.attempts("contacts"), crm.pages("contacts")) == (4, [1] * 16)
    assert {run.attempts(resource) for resource in run.materialized} == {1}
    for word in ("contacts, page 1", "500", "Out of order"):
        assert word in run.failure("contacts")
    logged = rows("select resource from raw.sync_log order by all")
    assert logged == [(resource,) for resource in sorted(run.materialized)]


def test_a_resource_that_recovers_between_two_tries_is_loaded(capfd: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists={"open_tasks": tasks(60)}) as crm:
        crm.faults.append(lambda _: Response("", 500) if len(crm.seen) <= 5 else None)
        run = materialize("open_tasks")
    assert run.success
    assert (run.attempts("open_tasks"), crm.pages("open_tasks")) == (2, [1, 1, 1, 1, 1, 1, 2])
    assert rows("select requests, retries, rows_read from raw.sync_log") == [(3, 1, 60)]
    assert "60 records in 3 requests, 1 of them a retry (full)" in capfd.readouterr().err


def test_a_read_that_fails_half_way_leaves_the_table_as_it_was() -> None:
    with configured_crm(lists={"open_tasks": tasks(130)}) as crm:
        assert materialize("open_tasks").success
        before = rows("select * from raw.open_tasks order by id")
        crm.lists["open_tasks"] = [{"id": id_, "title": "Changed"} for id_ in range(1, 131)]
        crm.faults.append(lambda seen: Response("", 403) if seen.page == 3 else None)
        assert not materialize("open_tasks").success
        assert rows("select * from raw.open_tasks order by id") == before
        assert rows("select count(*) from raw.sync_log") == [(1,)]
        crm.faults.clear()
        assert materialize("open_tasks").success
    assert rows("select distinct title from raw.open_tasks") == [("Changed",)]


@pytest.mark.long
@pytest.mark.file  # a lake has no indexes
def test_a_load_that_duckdb_refuses_shows_no_record(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Somebody made a column unique by hand: DuckDB's message holds the value that comes twice."""
    with configured_crm() as crm:
        assert materialize("open_tasks").success
        with connected(read_only=False) as connection:
            connection.execute("create unique index titles on raw.open_tasks (title)")
        crm.lists["open_tasks"] = [{"id": 1, "title": PERSON}, {"id": 2, "title": PERSON}]
        run = materialize("open_tasks")
    assert not run.success
    assert "open_tasks" in run.failure("open_tasks")
    output = capfd.readouterr()
    for text in (run.everything_shown, caplog.text, output.out, output.err):
        assert PERSON not in text
    assert rows("select count(*) from raw.sync_log") == [(1,)]


def test_wrong_setting_is_reported_before_any_request(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "1000")
        run = materialize("open_tasks")
    assert not run.success
    assert "SOURCES__CRM__PER_PAGE" in run.failure("open_tasks")
    assert (run.attempts("open_tasks"), crm.seen) == (1, [])
    assert not list(data_dir.glob("*.duckdb"))


@pytest.mark.long
def test_error_after_the_commit_says_the_table_was_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError(PERSON)

    monkeypatch.setattr("crm_assets.assets.raw.raw_metadata", broken)
    with configured_crm(lists={"open_tasks": tasks(3)}):
        run = materialize("open_tasks")
    assert rows("select count(*) from raw.open_tasks") == [(3,)]
    assert "The tables had been updated before" in run.failure("open_tasks")
    assert "have not changed" not in run.everything_shown
    assert PERSON not in run.everything_shown


@pytest.mark.file
def test_a_check_that_cannot_be_run_says_whether_the_table_was_updated() -> None:
    """Somebody gave a column another type, which only the check reads."""
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert materialize("open_tasks").success
        with connected(read_only=False) as connection:
            connection.execute("alter table raw.rejected_records alter column records type varchar")
        run = materialize("open_tasks")
    assert run.success
    found = run.check("no_rejected_records").description or ""
    assert found.startswith("could not be run: open_tasks: Binder Error: ")
    assert found.endswith("The tables had been updated before")


def test_a_refusal_by_the_api_says_nothing_of_an_update() -> None:
    with configured_crm() as crm:
        assert materialize("open_tasks").success
        crm.faults.append(always("open_tasks", lambda: Response("", 403)))
        assert "updated" not in materialize("open_tasks").failure("open_tasks")


@pytest.mark.file
def test_wrong_statement_is_shown_with_its_place_not_retried() -> None:
    """Somebody replaced a table by a view, so that a statement of the load is refused."""
    with configured_crm(lists={"open_tasks": tasks(3)}):
        assert materialize("open_tasks").success
        with connected(read_only=False) as connection:
            connection.execute("alter table raw.sync_log drop column rows_in_source")
        run = materialize("open_tasks")
    assert run.attempts("open_tasks") == 1
    for words in ("open_tasks: Binder Error: ", "crm_assets/loading/", ".py:", "The tables have not changed"):
        assert words in run.failure("open_tasks")
    assert rows("select count(*) from raw.sync_log") == [(1,)]
