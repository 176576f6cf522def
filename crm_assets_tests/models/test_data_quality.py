"""marts.data_quality: one row a check, with the records that were checked and that fail."""

from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from crm_assets.loading.raw_tables import present_view
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.models.times import ahead

pytestmark = pytest.mark.slow

MART = "marts.data_quality"
COLUMNS = ("checked", "failing", "share", "amount_affected")
OF_TABLES = ("records with a value of another type", "fields that are not declared")


def quality(crm: RawTables) -> dict[str, list[Any]]:
    """What each check says."""
    return {name: values for name, *values in crm.rows(MART, "check_name", *COLUMNS)}


def test_records_that_fail_are_counted(crm: RawTables) -> None:
    """The amount of each deal is a power of two."""
    due, won, to_come = datetime(2026, 1, 9, tzinfo=timezone.utc), date(2026, 1, 9), ahead(days=2).date()
    crm.add_each("accounts", name=["Acme", "Umbrella", "UMBRELLA"], owner_id=[7, None, 7])
    crm.add_each("contacts", email=["ann@example.com", " "], sales_account_id=[0, 1])
    crm.add_each("open_tasks", due_date=[due, None, due, due], owner_id=[7, 7, None, None])
    crm.add_each(
        "won_deals",
        sales_account_id=[0, 1, 2, 99, *[0] * 6],
        base_currency_amount=[1, 2, 4, 8, None, 32, 64, 128, 256, 512],
        amount=[1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
        closed_date=[won] * 5 + [None] * 2 + [to_come] * 3,
    )

    found = quality(crm)
    assert {name: found[name] for name in found.keys() - OF_TABLES} == {
        "deals without a listed account": [10, 1, Decimal("0.1"), 8],
        "deals without an amount in the company's currency": [10, 1, Decimal("0.1"), 16],
        "deals without a closing date": [10, 2, Decimal("0.2"), 32 + 64],
        "deals dated in the future": [10, 3, Decimal("0.3"), 128 + 256 + 512],
        "accounts without an owner": [3, 1, Decimal("0.3333"), 2],
        "accounts without a contact": [3, 1, Decimal("0.3333"), 4],
        "accounts with the name of another": [3, 2, Decimal("0.6667"), 2 + 4],
        "contacts without an e-mail address": [2, 1, Decimal("0.5"), None],
        "open tasks without a due date": [4, 1, Decimal("0.25"), None],
        "open tasks without an owner": [4, 2, Decimal("0.5"), None],
    }


def test_amount_of_accounts_is_unknown_if_no_deal_names_one(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme")
    crm.add("won_deals", 1, base_currency_amount=8)

    assert quality(crm)["accounts without an owner"] == [1, 1, 1, None]


def test_records_that_do_not_count_are_not_checked(crm: RawTables) -> None:
    for resource in ("accounts", "contacts", "won_deals"):
        crm.add(resource, 1, is_deleted=True)
    crm.add("open_tasks", 1, status=1)

    of_records = [(checked, share) for name, (checked, _, share, _) in quality(crm).items() if name not in OF_TABLES]
    assert of_records == [(0, None)] * 10


def test_no_contact_is_checked_if_addresses_are_left_out(crm: RawTables) -> None:
    crm.add_each("contacts", email=[None] * 3)
    assert quality(crm)["contacts without an e-mail address"] == [0, 0, None, None]


def test_values_of_another_type_and_undeclared_fields_count() -> None:
    with duckdb.connect() as connection:
        crm = RawTables(connection)
        connection.execute("alter table raw.won_deals add column amount__v_text varchar")
        connection.execute("comment on column raw.won_deals.name is 'Declared.'")
        connection.execute(present_view(connection, "won_deals"))
        crm.add("won_deals", 1, amount__v_text="a lot")
        crm.add("won_deals", 2, amount__v_text="")
        crm.add("won_deals", 3)
        crm.add("contacts", 1)

        of_types, of_fields = (quality(crm)[name][:2] for name in OF_TABLES)
        assert of_types == [4, 2]
        assert of_fields[0] - of_fields[1] == 1
