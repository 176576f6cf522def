"""Every value that the API sends is found in DuckDB as it was meant: no digit, no instant, no key is lost."""

import json
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from crm_assets.api import ENDPOINTS
from crm_assets.source import schemas
from crm_assets_tests.assets.raw_runs import columns, configured_crm, materialize, rows
from crm_assets_tests.marked_records import found_in_files

RESOURCES = tuple(ENDPOINTS)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.marked"  # noqa: S105 - stands for one that must not be stored

VALUES: dict[str, list[Any]] = {
    "text": [
        "Žluťoučký kůň, 東京, 🐘",
        "",
        "00501",
        "two\nlines\tand 'quotes' \"of\" \\ both; kinds",
        "  spaces  ",
        "NULL",
        "+49 30 123456",
        "nul \x00 character",
        "2026-01-01T00:00:00Z",
        "x" * 20_000,
    ],
    "bigint": [0, 1, -17, 1450348061427834880, 2**53 + 1, 2**63 - 1, -(2**63)],
    "decimal": [
        "7700.0",
        0,
        "0.0",
        125_000_000,
        "-12.5",
        12.5,
        "0.123456789",
        "12345678901234567890.12",
        9007199254740993,
        "1e3",
        "0.10",
    ],
    "bool": [True, False],
    "timestamp": [
        "2026-03-18T09:30:00-05:00",
        "2026-03-18T23:59:59+05:30",
        "2026-01-01T00:00:00Z",
        "2024-02-29T12:00:00.123456+00:00",
        "1999-12-31T23:59:59-11:00",
        "2026-10-25T02:30:00.5+02:00",
        "1969-07-20T20:17:40Z",
        "2262-04-12T00:00:00Z",
    ],
    "date": ["2026-02-28", "2024-02-29", "1999-12-31", "0999-01-01"],
    "json": [
        {
            "cf_plain": "x",
            "cf_has-dash": 1450348061427834880,
            "cf_ünï code": None,
            "": "",
            "CF_Case": True,
            "cf.a": 1.5,
        },
        {},
        [],
        ["a", 1, None, True, {"deep": [{"deeper": [1]}]}],
        [{"id": 1, "type": "SalesAccount"}, {"id": 2**63 - 1, "type": "Deal"}],
        {"cf_text": 'Žluťoučký 🐘 " \\ \n', "cf_zero": 0, "cf_false": False},
        {"cf_beyond_64_bits": 2**70},
    ],
}


def declared(resource: str) -> dict[str, Any]:
    """The resource's declaration, read from its file."""
    file = Path(schemas.__file__).parent / "schemas" / f"{resource}.yaml"
    document: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return document


def every_value(resource: str) -> list[dict[str, Any]]:
    """Records that hold each value of each type in each field of that type, and two that hold next to nothing."""
    document = declared(resource)
    types = {name: column["data_type"] for name, column in document["columns"].items() if name != "id"}
    secrets = {name: {"id": "7", "convo_token": TOKEN} for name in document["never_stored"]}
    records: list[dict[str, Any]] = [
        {"id": 2**53 + 1 + n} | {name: VALUES[kind][n % len(VALUES[kind])] for name, kind in types.items()} | secrets
        for n in range(max(map(len, VALUES.values())))
    ]
    return [*records, {"id": 1} | dict.fromkeys(types), {"id": 2}]


def as_meant(data_type: str, value: Any) -> Any:
    """The value of the API in Python's terms."""
    if value is None:
        return None
    if data_type == "decimal":
        return Decimal(str(value))
    if data_type == "timestamp":
        return datetime.fromisoformat(value.replace("Z", "+00:00").replace(".5+", ".500000+")).astimezone(timezone.utc)
    if data_type == "date":
        return date.fromisoformat(value)
    return value


def as_found(data_type: str, value: Any) -> Any:
    """The value of DuckDB in Python's terms."""
    if value is None:
        return None
    if data_type == "json":
        return json.loads(value)
    if data_type == "timestamp":
        return value.astimezone(timezone.utc)
    return value


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("resource", RESOURCES)
def test_every_value_comes_back(resource: str, data_dir: Path) -> None:
    records = every_value(resource)
    with configured_crm(lists={resource: records}):
        run = materialize(resource)
    assert run.success
    assert run.metadata(resource)["crm/complete"] is True
    types = {name: column["data_type"] for name, column in declared(resource)["columns"].items()}
    names = ", ".join(f'"{name}"' for name in types)
    found = {row[0]: row for row in rows(data_dir / "crm.duckdb", f"select id, {names} from raw.{resource}")}
    assert len(found) == len(records)
    for record in records:
        got = dict(zip(types, found[record["id"]][1:], strict=True))
        for name, data_type in types.items():
            assert as_found(data_type, got[name]) == as_meant(data_type, record.get(name)), (name, record.get(name))
    # A value that did not fit would have made a column for itself.
    assert set(columns(data_dir / "crm.duckdb", resource)) == {*types, "_dlt_load_id", "_dlt_id"}


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
    database = data_dir / "crm.duckdb"
    assert rows(database, "select count(*) from raw.won_deals") == [(3,)]
    assert rows(database, "select count(*) from raw.rejected_records") == [(3,)]
    assert not {name for name in columns(database, "won_deals") if "collaboration" in name}
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
    database = data_dir / "crm.duckdb"
    [(kept, own)] = rows(database, "select deals, collaboration from raw.contacts where id = 1")
    assert json.loads(kept) == [{"id": n, "name": "Kept"} for n in range(len(spelled))]
    assert own == "of a contact"
    assert TOKEN not in run.everything_shown
    assert found_in_files([TOKEN], data_dir) == set()
