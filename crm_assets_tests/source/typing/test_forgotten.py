"""Records that are forgotten: known by hashes of their ids."""

from typing import Any

import pytest

from crm_assets.api import ENDPOINTS, Endpoint
from crm_assets.source.typing import batches
from crm_assets.source.typing.batches import Forgotten, id_hash, ids_within


def test_a_side_loaded_record_is_that_of_any_list_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {"lost_deals": Endpoint("/v1/lost", ENDPOINTS["won_deals"].data_selector)}
    monkeypatch.setattr(batches, "ENDPOINTS", {**ENDPOINTS, **lost})
    ids = Forgotten(
        "salt", {name: frozenset({id_hash("salt", name, id_)}) for id_, name in [(1, "won_deals"), (2, "lost_deals")]}
    )

    assert [id_ for id_ in range(4) if ids.matching_array("deals", id_)] == [1, 2]
    assert not ids.matching_array("users", 1)


@pytest.mark.parametrize(
    "record",
    [
        *({"id": id_} for id_ in (7, 7.0, "7", " 07 ", "7.0", "7.", [7], {"value": "7"})),
        {"ID": 7, "name": "x"},
        {"Id": "7"},
        {"contact": {"id": 7, "name": "x"}},
        [[{"id": 7}]],
        '{"id": 7}',
        ['[{"contact": "{\\"id\\": 7}"}]'],
    ],
)
def test_id_of_a_rejected_record_is_found_in_any_form(record: Any) -> None:
    assert [*ids_within(record)] == [7]


@pytest.mark.parametrize("record", [{"id": 7.5}, {"id": "7x"}, {"id": None}, {"owner": {"id": 7}, "name": "x"}, "7", 7])
def test_other_numbers_of_a_rejected_record_are_no_ids(record: Any) -> None:
    assert [*ids_within(record)] == []
