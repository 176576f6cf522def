"""marts.data_quality: one row a check, with the records that were checked and that fail."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import duckdb
import pytest

from crm_assets.loading.present import present_view
from crm_assets_tests.models.raw_tables import RawTables

pytestmark = pytest.mark.slow

MART = "marts.data_quality"
TO_COME = datetime.now(timezone.utc).date() + timedelta(days=2)
COLUMNS = ("checked", "failing", "share", "amount_affected")


def quality(crm: RawTables, check: str) -> tuple[Any, ...]:
    """What a check says."""
    [found] = [row for name, *row in crm.rows(MART, "check_name", *COLUMNS) if name == check]
    return tuple(found)


@pytest.fixture
def good(crm: RawTables) -> RawTables:
    """Records that pass all checks."""
    crm.add("accounts", 1, name="Acme", owner_id=7)
    crm.add("contacts", 11, email="ann@example.com", sales_account_id=1)
    crm.add("won_deals", 21, sales_account_id=1, base_currency_amount=8, amount=8, closed_date=date(2026, 1, 9))
    crm.add("open_tasks", 31, owner_id=7, due_date=datetime(2026, 1, 9, tzinfo=timezone.utc))
    return crm


@pytest.mark.long
@pytest.mark.parametrize(
    ("check", "resource", "wrong", "affected"),
    [
        ("deals without a listed account", "won_deals", {"sales_account_id": 2}, 4),
        ("deals without an amount in the company's currency", "won_deals", {"base_currency_amount": None}, 6),
        ("deals without a closing date", "won_deals", {"closed_date": None}, 4),
        ("deals dated in the future", "won_deals", {"closed_date": TO_COME}, 4),
        ("accounts without an owner", "accounts", {"owner_id": None}, 0),
        ("accounts without a contact", "accounts", {}, 0),
        ("accounts with the name of another", "accounts", {"name": "UMBRELLA"}, 0),
        ("contacts without an e-mail address", "contacts", {"email": " "}, None),
        ("open tasks without a due date", "open_tasks", {"due_date": None}, None),
        ("open tasks without an owner", "open_tasks", {"owner_id": None}, None),
    ],
)
def test_records_that_fail_are_counted(
    good: RawTables, check: str, resource: str, wrong: dict[str, Any], affected: int | None
) -> None:
    records: dict[str, dict[str, Any]] = {
        "accounts": {"name": "Umbrella", "owner_id": 7},
        "contacts": {"email": "bob@example.com", "sales_account_id": 1},
        "won_deals": {"sales_account_id": 1, "base_currency_amount": 4, "amount": 6, "closed_date": date(2026, 1, 9)},
        "open_tasks": {"owner_id": 7, "due_date": datetime(2026, 1, 9, tzinfo=timezone.utc)},
    }
    assert quality(good, check)[:3] == (1, 0, 0)

    if check == "accounts with the name of another":
        good.add("accounts", 3, name="Umbrella")
    good.add(resource, 2, **(records[resource] | wrong))
    failing = 2 if check == "accounts with the name of another" else 1
    assert quality(good, check)[1::2] == (failing, affected)


def test_amount_of_accounts_is_unknown_if_no_deal_names_one(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme")
    crm.add("won_deals", 1, base_currency_amount=8)

    assert quality(crm, "accounts without an owner")[1::2] == (1, None)


def test_records_that_do_not_count_are_not_checked(crm: RawTables) -> None:
    for resource in ("accounts", "contacts", "won_deals"):
        crm.add(resource, 1, is_deleted=True)
    crm.add("open_tasks", 1, status=1)

    rows = crm.rows(MART, "check_name", "checked", "share")
    of_records = [row[1:] for row in rows if not row[0].startswith(("records", "fields"))]
    assert len(of_records) == 10
    assert set(of_records) == {(0, None)}


def test_no_contact_is_checked_if_addresses_are_left_out(crm: RawTables) -> None:
    crm.add_each("contacts", email=[None] * 3)
    assert quality(crm, "contacts without an e-mail address")[:3] == (0, 0, None)


def test_values_of_another_type_and_undeclared_fields_count() -> None:
    with duckdb.connect() as connection:
        crm = RawTables(connection)
        connection.execute("alter table raw.won_deals add column amount__v_text varchar")
        connection.execute("comment on column raw.won_deals.name is 'Declared.'")
        connection.execute(present_view(connection, "won_deals"))
        crm.add("won_deals", 1, amount__v_text="a lot")
        crm.add("won_deals", 2)
        crm.add("contacts", 1)

        assert quality(crm, "records with a value of another type")[:2] == (3, 1)
        checked, failing, *_ = quality(crm, "fields that are not declared")
        assert checked - failing == 1
