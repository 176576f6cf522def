"""Staging shows rows seen by the last complete full read or a later read. Raw keeps all."""

import pytest

from crm_assets.api import ENDPOINTS
from crm_assets_tests.models.raw_tables import FIRST, SECOND, THIRD, RawTables, models


def shown(crm: RawTables, resource: str) -> list[int]:
    model = models()[f"staging.stg_{resource}"]
    key, *_ = [test.column for test in model.data_tests if test.kind == "primary_key" and test.column]
    return [id_ for (id_,) in crm.rows(model.address, key)]


@pytest.fixture(params=ENDPOINTS)
def resource(request: pytest.FixtureRequest, crm: RawTables) -> str:
    """A resource whose record 1 was last seen by the first load, and record 2 by the second."""
    name: str = request.param
    crm.add(name, 1, FIRST)
    crm.add(name, 2, SECOND)
    crm.log(name, FIRST)
    return name


def test_rows_not_seen_by_the_last_complete_read_are_hidden(crm: RawTables, resource: str) -> None:
    crm.log(resource, SECOND)

    assert shown(crm, resource) == [2]
    assert crm.connection.execute(f"select id from raw.{resource} order by id").fetchall() == [(1,), (2,)]


@pytest.mark.parametrize(("mode", "complete"), [("full", False), ("incremental", True)])
def test_any_other_read_hides_nothing(crm: RawTables, resource: str, mode: str, complete: bool) -> None:
    crm.log(resource, SECOND, mode, complete=complete)
    for other in ENDPOINTS.keys() - {resource}:
        crm.log(other, THIRD)

    assert shown(crm, resource) == [1, 2]


def test_rows_of_a_load_that_the_log_does_not_know_yet_are_shown(crm: RawTables, resource: str) -> None:
    crm.add(resource, 3, THIRD)

    assert shown(crm, resource) == [1, 2, 3]


def test_all_rows_are_shown_before_the_first_complete_read(crm: RawTables, resource: str) -> None:
    crm.connection.execute("delete from raw.sync_log")

    assert shown(crm, resource) == [1, 2]
