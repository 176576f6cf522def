"""Personal data are kept, left out, or replaced with keyed hashes, as configured."""

from pathlib import Path
from typing import Any

import pytest

from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import apply_policy, materialize, rows
from crm_assets_tests.marked_records import found_in_files
from crm_assets_tests.scripted_crm import configured_crm

CONTACT = {
    "id": 1,
    "display_name": "Ada Marked",
    "first_name": "Ada Marked",
    "job_title": "Engineer",
    "email": "ada.marked@example.com",
    "updated_at": "2026-05-01T12:00:00Z",
}
KEY = "one key" * 5
NAMES = "select display_name, first_name, email, updated_at is not null from raw.contacts order by id"


def load(monkeypatch: pytest.MonkeyPatch, records: list[Any], **settings: str) -> list[tuple[Any, ...]]:
    for name, value in settings.items():
        monkeypatch.setenv(f"SOURCES__CRM__{name.upper()}", value)
    with configured_crm(lists={"contacts": records}):
        assert materialize("contacts").success
    return rows(NAMES)


@pytest.mark.slow
def test_columns_are_kept_unless_the_setting_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, [CONTACT]) == [("Ada Marked", "Ada Marked", "ada.marked@example.com", True)]


@pytest.mark.slow
def test_left_out_they_are_nowhere_on_the_disk(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    without_id = {**CONTACT, "id": None}
    assert load(monkeypatch, [CONTACT, without_id], personal_data="leave_out") == [(None, None, None, True)]
    assert found_in_files(["Marked", "ada.marked"], data_dir) == set()


@pytest.mark.slow
def test_equal_values_have_equal_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    [[name, first_name, email, _]] = load(monkeypatch, [CONTACT], personal_data="hash", personal_data_key=KEY)
    assert name == first_name != email
    assert load(monkeypatch, [CONTACT])[0][:3] == (name, first_name, email)


@pytest.mark.long
def test_another_key_makes_other_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    [one] = load(monkeypatch, [CONTACT], personal_data="hash", personal_data_key=KEY)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", "another key" * 3)
    with configured_crm():
        apply_policy()
    [other] = load(monkeypatch, [CONTACT])
    assert one[0] != other[0]
    assert "Marked" not in str(other)


@pytest.mark.parametrize("resource", ["accounts", "contacts", "won_deals", "open_tasks", "past_appointments"])
def test_columns_that_reads_depend_on_are_not_personal(resource: str) -> None:
    columns = resource_schema(resource).columns
    assert not [name for name in ("id", "updated_at", "created_at") if name in columns and columns[name].personal]
