"""How the sandbox sorts its lists and divides them into pages."""

from operator import itemgetter

import pytest

from crm_assets_tests.sandbox.client import DATA_KEYS, PATHS, Client, Row, instant

SORTABLE = ("/v1/accounts", "/v1/contacts", "/v1/deals")
DUE = {"/v1/tasks": "due_date", "/v1/appointments": "end_date"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("size", "records"), [({}, 25), ({"per_page": 50}, 50), ({"per_page": 5000}, 100)], ids=["default", "asked", "most"]
)
def test_page_has_as_many_records_as_asked_for_up_to_100(
    crm: Client, path: str, size: dict[str, int], records: int
) -> None:
    assert len(crm.page(path, **size)) == records


def test_the_first_page_is_page_1(crm: Client) -> None:
    assert crm.page("/v1/deals", page=1) == crm.page("/v1/deals")


@pytest.mark.parametrize("path", PATHS)
def test_pages_hold_every_record_once(lists: dict[str, list[Row]], crm: Client, path: str) -> None:
    ids = [record["id"] for record in lists[path]]
    assert len(ids) == len(set(ids)) == crm.get(path).json()["meta"]["total"]


def test_a_page_past_the_end_is_empty_and_no_error(crm: Client) -> None:
    answer = crm.get("/v1/accounts", page=10**6)
    assert (answer.status_code, answer.json()["sales_accounts"]) == (200, [])


@pytest.mark.parametrize("parameters", [{"page": "one"}, {"page": 0}, {"page": -1}, {"per_page": "1.5"}])
def test_a_page_that_is_no_whole_number_from_1_is_refused(crm: Client, parameters: dict[str, str | int]) -> None:
    answer = crm.get("/v1/tasks", **parameters)
    assert answer.status_code == 400
    assert answer.json()["errors"]["code"] == 400
    assert next(iter(parameters)) in answer.json()["errors"]["message"][0]


@pytest.mark.parametrize("path", SORTABLE)
def test_meta_counts_pages_of_the_size_asked_for(crm: Client, path: str) -> None:
    meta = crm.get(path, per_page=30).json()["meta"]
    assert meta == {"total_pages": -(-meta["total"] // 30), "total": meta["total"]}


@pytest.mark.parametrize("path", DUE)
def test_meta_of_tasks_and_appointments_has_the_total_alone(crm: Client, path: str) -> None:
    assert set(crm.get(path).json()["meta"]) == {"total"}


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_has_the_records_under_the_name_of_the_list(crm: Client, path: str) -> None:
    assert list(crm.get(path).json()) == [DATA_KEYS[path], "meta"]


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
