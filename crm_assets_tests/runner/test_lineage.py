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


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("select name as x from raw.accounts", [NAME], id="renamed"),
        pytest.param("select id || name as x from raw.accounts", [ID, NAME], id="expression"),
        pytest.param("with a as (select name as x from raw.accounts) select * from a", [NAME], id="star of a CTE"),
        pytest.param(
            "select x from (select * exclude (id) rename (name as x) from raw.accounts)", [NAME], id="derived table"
        ),
        pytest.param(
            "select coalesce(email, name) as x from raw.accounts as a join raw.contacts as c on a.id = c.account_id",
            [NAME, EMAIL],
            id="join",
        ),
        pytest.param(
            "select name as x from raw.accounts union select email from raw.contacts", [NAME, EMAIL], id="union"
        ),
        pytest.param(
            "select id, name as x from raw.accounts union by name select email as x, id from raw.contacts",
            [NAME, EMAIL],
            id="union by name",
        ),
        pytest.param(
            "select id as y from raw.accounts union by name select email as x from raw.contacts union by name "
            "select 1 as z, name as x from raw.accounts",
            [NAME, EMAIL],
            id="unions by name of other columns",
        ),
        pytest.param(
            "select (select max(email) from raw.contacts) as x from raw.accounts", [EMAIL], id="subquery in it"
        ),
        pytest.param("select count(*) as x from raw.accounts where name is null", [], id="only decides about rows"),
        pytest.param(
            "with recursive r as (select id as x from raw.accounts union all select x from r) select x from r",
            [ID],
            id="recursive",
        ),
    ],
)
def test_a_column_comes_from(sql: str, expected: list[Origin]) -> None:
    assert origins(sql) == expected
