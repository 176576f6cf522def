"""Records that are forgotten: known by hashes of their ids."""

import pytest

from crm_assets.api import ENDPOINTS, Endpoint
from crm_assets.source.typing import forgotten
from crm_assets.source.typing.forgotten import Forgotten, id_hash


def test_a_side_loaded_record_is_that_of_any_list_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {"lost_deals": Endpoint("/v1/lost", ENDPOINTS["won_deals"].data_selector)}
    monkeypatch.setattr(forgotten, "ENDPOINTS", {**ENDPOINTS, **lost})
    ids = Forgotten(
        "salt", {name: frozenset({id_hash("salt", name, id_)}) for id_, name in [(1, "won_deals"), (2, "lost_deals")]}
    )

    assert [id_ for id_ in range(4) if ids.matching_array("deals", id_)] == [1, 2]
    assert not ids.matching_array("users", 1)
