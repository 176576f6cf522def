"""A query of one of several CRMs reads that CRM's tables, and is otherwise as it was written."""

import pytest

from crm_assets.settings import ONLY, Crm
from crm_assets.warehouse.addresses import of_crm

NORTH = Crm("north")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("select id from raw.accounts", "select id from north_raw.accounts"),
        ('select id from "staging"."stg_accounts"', 'select id from north_staging."stg_accounts"'),
        ("SELECT id FROM Raw.Accounts", "SELECT id FROM north_Raw.Accounts"),
        ("from marts.a join marts.b using (id)", "from north_marts.a join north_marts.b using (id)"),
        ("select raw.accounts.id from raw.accounts", "select north_raw.accounts.id from north_raw.accounts"),
        (
            "select id -- of raw.accounts\n\n  , 'raw.accounts' as told\nfrom raw.accounts",
            "select id -- of raw.accounts\n\n  , 'raw.accounts' as told\nfrom north_raw.accounts",
        ),
        (
            "with raw as (select id from raw.accounts) select raw.id from raw",
            "with raw as (select id from north_raw.accounts) select raw.id from raw",
        ),
        (
            "from marts.a where id in (from raw.b select id)",
            "from north_marts.a where id in (from north_raw.b select id)",
        ),
        ("select table_name from information_schema.tables", "select table_name from information_schema.tables"),
        ("select id from north_raw.accounts", "select id from north_raw.accounts"),
        ("select raw.id from marts.a as raw", "select raw.id from north_marts.a as raw"),
    ],
)
def test_tables_are_those_of_the_crm_and_all_else_stays(written: str, read: str) -> None:
    assert of_crm(NORTH, written) == read


def test_an_only_crm_has_no_name_in_its_queries() -> None:
    assert of_crm(ONLY, "select id from raw.accounts") == "select id from raw.accounts"
