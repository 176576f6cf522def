"""In which order the sandbox lists its records."""

from operator import itemgetter

import pytest

from crm_assets_tests.sandbox.client import Client, instant

SORTABLE = ("/v1/accounts", "/v1/contacts", "/v1/deals")
DUE = {"/v1/tasks": "due_date", "/v1/appointments": "end_date"}


@pytest.mark.slow
@pytest.mark.parametrize("path", SORTABLE)
@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_newest_first_is_honoured(crm: Client, path: str, field: str) -> None:
    times = [instant(record[field]) for record in crm.read(path, sort=field, sort_type="desc")]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("path", SORTABLE)
@pytest.mark.parametrize("field", ["id", "updated_at"])
def test_ascending_is_descending_backwards(crm: Client, path: str, field: str) -> None:
    upwards = crm.read(path, sort=field, sort_type="asc")
    assert upwards == crm.read(path, sort=field, sort_type="desc")[::-1]
    assert field != "id" or upwards == sorted(upwards, key=itemgetter("id"))


@pytest.mark.parametrize("path", DUE)
def test_tasks_and_appointments_ignore_the_requested_order(crm: Client, path: str) -> None:
    records = crm.read(path, sort="updated_at", sort_type="desc")
    due = [instant(record[DUE[path]]) for record in records]
    assert due == sorted(due)
    assert records == crm.read(path)


def test_several_records_share_their_last_change(crm: Client) -> None:
    changes = [instant(record["updated_at"]) for record in crm.read("/v1/contacts")]
    assert len(set(changes)) < len(changes) * 0.95
