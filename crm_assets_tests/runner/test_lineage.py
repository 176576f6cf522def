"""Where the columns of a model come from."""

import pytest
import sqlglot
from sqlglot import exp

from crm_assets.runner.lineage import Origin, column_lineage

SCHEMAS = {
    "raw": {
        "accounts": {"id": "BIGINT", "name": "VARCHAR", "city": "VARCHAR"},
        "contacts": {"id": "BIGINT", "account_id": "BIGINT", "email": "VARCHAR"},
    }
}
ID, NAME, EMAIL = ("raw", "accounts", "id"), ("raw", "accounts", "name"), ("raw", "contacts", "email")


def origins(sql: str) -> list[Origin]:
    """What the column x of a SELECT comes from."""
    query = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(query, exp.Query)
    return list(column_lineage(query, SCHEMAS)["x"])


COLUMNS = {
    "renamed": ("select name as x from raw.accounts", [NAME]),
    "expression": ("select id || name as x from raw.accounts", [ID, NAME]),
    "star of a CTE": ("with a as (select name as x from raw.accounts) select * from a", [NAME]),
    "derived table": ("select x from (select * exclude (id) rename (name as x) from raw.accounts)", [NAME]),
    "join": ("select coalesce(email, name) as x from raw.accounts join raw.contacts using (id)", [NAME, EMAIL]),
    "union": ("select name as x from raw.accounts union select email from raw.contacts", [NAME, EMAIL]),
    "union by name": (
        "select id, name as x from raw.accounts union by name select email as x, id from raw.contacts",
        [NAME, EMAIL],
    ),
    "unions by name of other columns": (
        (
            "select id as y from raw.accounts union by name select email as x from raw.contacts union by name "
            "select 1 as z, name as x from raw.accounts"
        ),
        [NAME, EMAIL],
    ),
    "subquery in it": ("select (select max(email) from raw.contacts) as x from raw.accounts", [EMAIL]),
    "window": ("select rank() over (order by name) as x from raw.accounts", [NAME]),
    "named window": ("select rank() over W as x from raw.accounts window w as (order by name, id)", [ID, NAME]),
    "only decides about rows": ("select count(*) as x from raw.accounts where name is null", []),
    "recursive": ("with recursive r as (select id as x from raw.accounts union select x from r) select x from r", [ID]),
}


@pytest.mark.parametrize(("sql", "expected"), COLUMNS.values(), ids=COLUMNS)
def test_a_column_comes_from(sql: str, expected: list[Origin]) -> None:
    assert origins(sql) == expected
