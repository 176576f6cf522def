"""Personal data are kept, left out, or replaced with keyed hashes, as configured."""

from pathlib import Path
from typing import Any

import pytest

from crm_assets.settings import CrmSettings
from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, rows
from crm_assets_tests.marked_records import found_in_files

CONTACT = {
    "id": 1,
    "display_name": "Ada Marked",
    "first_name": "Ada Marked",
    "job_title": "Engineer",
    "email": "ada.marked@example.com",
    "updated_at": "2026-05-01T12:00:00Z",
}
NAMES = "select display_name, first_name, email, updated_at is not null from raw.contacts order by id"


def load(monkeypatch: pytest.MonkeyPatch, data_dir: Path, records: list[Any], **settings: str) -> list[tuple[Any, ...]]:
    for name, value in settings.items():
        monkeypatch.setenv(f"SOURCES__CRM__{name.upper()}", value)
    with configured_crm(lists={"contacts": records}):
        assert materialize("contacts").success
    return rows(data_dir / "crm.duckdb", NAMES)


def test_columns_are_kept_unless_the_setting_says_otherwise(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    assert load(monkeypatch, data_dir, [CONTACT]) == [("Ada Marked", "Ada Marked", "ada.marked@example.com", True)]


def test_left_out_they_are_nowhere_on_the_disk(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    without_id = {**CONTACT, "id": None}
    assert load(monkeypatch, data_dir, [CONTACT, without_id], personal_data="leave_out") == [(None, None, None, True)]
    assert found_in_files(["Marked", "ada.marked"], data_dir) == set()


def test_hashes_are_equal_where_values_are_and_depend_on_the_key(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    hashes = [
        load(monkeypatch, data_dir, [CONTACT], personal_data="hash", personal_data_key=key)[0]
        for key in ("one key" * 5, "one key" * 5, "another key" * 3)
    ]
    assert hashes[0] == hashes[1]
    assert hashes[0][0] == hashes[0][1] != hashes[0][2]
    assert len({row[0] for row in hashes}) == 2
    assert "Marked" not in str(hashes)


def test_hashing_needs_a_key() -> None:
    with pytest.raises(ValueError, match="PERSONAL_DATA_KEY"):
        CrmSettings.model_validate({"personal_data": "hash"})


@pytest.mark.parametrize("resource", ["accounts", "contacts", "won_deals", "open_tasks", "past_appointments"])
def test_columns_that_reads_depend_on_are_not_personal(resource: str) -> None:
    columns = resource_schema(resource).columns
    assert not [name for name in ("id", "updated_at", "created_at") if name in columns and columns[name].personal]
