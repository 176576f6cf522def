"""Access tokens that the API sends are stored nowhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from crm_assets_tests.assets.raw_runs import columns, materialize, rows
from crm_assets_tests.marked_records import found_in_files
from crm_assets_tests.scripted_crm import configured_crm

TOKEN = "eyJhbGciOiJIUzI1NiJ9.marked"  # noqa: S105 - stands for one that must not be stored


@pytest.mark.slow
def test_access_tokens_are_nowhere_on_the_disk(data_dir: Path) -> None:
    secret = {"fc_widget_collaboration": {"auth_token": TOKEN}, "collaboration": {"convo_token": TOKEN}}
    pages: list[list[Any]] = [
        [{"id": 1, "name": "Loaded"} | secret, {"id": 2, "collaboration": TOKEN}],
        [{"id": 3, "name": "Loaded with a new field", "never_seen_before": 1} | secret],
        [{"id": None, "name": "Set aside"} | secret, {"id": {}, "name": "Set aside for its id"} | secret],
        [[{"id": 4, "name": "Set aside as it is no object"} | secret]],
    ]
    with configured_crm(
        lists={"won_deals": [record for page in pages for record in page]}, page_sizes=[len(page) for page in pages]
    ):
        run = materialize("won_deals")
    assert run.success
    assert rows("select count(*) from raw.won_deals") == [(3,)]
    assert rows("select count(*) from raw.rejected_records") == [(3,)]
    assert not {name for name in columns("won_deals") if "collaboration" in name}
    assert TOKEN not in run.everything_shown
    assert found_in_files([TOKEN], data_dir) == set()


@pytest.mark.slow
def test_access_tokens_of_records_within_records_are_nowhere_on_the_disk(data_dir: Path) -> None:
    spelled = ("collaboration", "fcWidgetCollaboration", "FC-Widget-Collaboration", "coll@boration")
    deals = [{"id": n, "name": "Kept", key: {"auth_token": TOKEN}} for n, key in enumerate(spelled)]
    contacts = [
        {"id": 1, "deals": deals, "collaboration": "of a contact"},
        {"id": 2, "custom_field": {"cf_beyond_64_bits": 2**70, "cf_deals": {"first": deals[0]}}},
        [{"id": 3, "deals": deals}],
    ]
    with configured_crm(lists={"contacts": contacts}):
        run = materialize("contacts")
    assert run.success
    [(kept, own)] = rows("select deals, collaboration from raw.contacts where id = 1")
    assert json.loads(kept) == [{"id": n, "name": "Kept"} for n in range(len(spelled))]
    assert own == "of a contact"
    assert TOKEN not in run.everything_shown
    assert found_in_files([TOKEN], data_dir) == set()
