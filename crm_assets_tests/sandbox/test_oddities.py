"""Undeclared fields, odd types and side-loaded arrays, if they are requested."""

from collections.abc import Iterator
from typing import Any

import pytest

from crm_assets_tests.sandbox.client import DATA_KEYS, PATHS, Client, Row, client_of_sandbox

UNKNOWN = 10
JSON_TYPES = {str, int, float, bool, dict, list}


@pytest.fixture(scope="module")
def unknown() -> Iterator[Client]:
    with client_of_sandbox(unknown_fields=UNKNOWN) as client:
        yield client


def changes(plain: list[Row], odd: list[Row]) -> list[dict[str, tuple[Any, Any]]]:
    """For each record the fields that differ."""
    return [
        {name: (value, after[name]) for name, value in before.items() if after[name] != value}
        for before, after in zip(plain, odd, strict=True)
    ]


@pytest.mark.parametrize("path", PATHS)
def test_unknown_fields_are_added_to_unchanged_records(crm: Client, unknown: Client, path: str) -> None:
    plain, odd = crm.page(path, per_page=100), unknown.page(path, per_page=100)
    names = set(odd[0]) - set(plain[0])
    assert len(names) == UNKNOWN
    assert [{name: value for name, value in row.items() if name not in names} for row in odd] == plain
    assert all(names < set(row) for row in odd)


def test_an_unknown_field_has_values_of_one_type_and_nulls(unknown: Client, lists: dict[str, list[Row]]) -> None:
    records = unknown.read("/v1/contacts")
    names = set(records[0]) - set(lists["/v1/contacts"][0])
    types = {name: {type(record[name]) for record in records} for name in names}
    assert all(type(None) in found and len(found) == 2 for found in types.values())
    assert set().union(*types.values()) == JSON_TYPES | {type(None)}


def test_some_unknown_texts_look_like_numbers_or_dates(unknown: Client) -> None:
    values = [value for value in unknown.page("/v1/deals")[0].values() if isinstance(value, str)]
    assert any(value.isdecimal() and value.startswith("0") for value in values)
    assert any(value.startswith("2027-") for value in values)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_a_share_of_the_records_has_one_value_of_another_type(lists: dict[str, list[Row]], path: str) -> None:
    with client_of_sandbox(odd_types=0.3) as client:
        found = changes(lists[path], client.read(path))
    assert 0.2 < sum(map(bool, found)) / len(found) < 0.4
    assert max(map(len, found)) == 1
    for name, (before, after) in (change for fields in found for change in fields.items()):
        assert name not in {"id", "updated_at"}
        assert type(after) is not type(before) or after == "n/a"


def test_all_records_can_be_odd_and_in_many_ways(lists: dict[str, list[Row]]) -> None:
    with client_of_sandbox(odd_types=1) as client:
        found = changes(lists["/v1/contacts"], client.read("/v1/contacts"))
    assert all(found)
    pairs = {(type(before), type(after)) for fields in found for before, after in fields.values()}
    assert {(int, str), (str, int), (bool, str), (str, str)} <= pairs


def test_oddities_follow_from_the_seed() -> None:
    answers = []
    for _ in range(2):
        with client_of_sandbox(unknown_fields=UNKNOWN, odd_types=0.5) as client:
            answers.append(client.get("/v1/tasks", per_page=100).content)
    assert answers[0] == answers[1]


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_arrays_stand_before_the_records_without_being_asked_for(crm: Client, path: str) -> None:
    with client_of_sandbox(side_load=True) as client:
        answer = client.get(path).json()
    *arrays, key, meta = answer
    assert (key, meta) == (DATA_KEYS[path], "meta")
    assert {"users", "sales_accounts", "deal_stages", "industry_types"} == {*arrays} | ({key} & {"sales_accounts"})
    assert all("id" in row for array in arrays for row in answer[array])
    assert answer[key] == crm.page(path)


def test_included_arrays_are_side_loaded(crm: Client) -> None:
    with client_of_sandbox(side_load=True) as client:
        odd = client.get("/v1/deals", include="sales_account,owner").json()
    plain = crm.get("/v1/deals", include="sales_account,owner").json()
    assert {name: odd[name] for name in plain} == plain
