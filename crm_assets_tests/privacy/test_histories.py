"""What a policy does to columns of tables that cannot be rebuilt: as to those of raw tables, or more."""

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from crm_assets.privacy.personal_columns import histories_of
from crm_assets.privacy.policy_change import change_policy
from crm_assets.runner.builds import build
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.runner.model_project import ModelProject

MARK = "ann@example.com"
ACCOUNTS = [{"id": 5, "is_primary": True, "name": MARK}]
INCREMENTAL = "{{ config(materialized='incremental', unique_key='id') }}\n"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A contact with a marked address, and an account of this name."""
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        RawTables(connection).add(
            "contacts", 1, email=MARK, lead_score=7, medium=json.dumps({"by": MARK}), tags='["vip"]',
            sales_accounts=json.dumps(ACCOUNTS), emails=json.dumps([{"value": MARK, "x": 1}]),
        )  # fmt: skip
        yield connection


@pytest.fixture
def project(data_dir: Any) -> ModelProject:
    """A project in which stg_people shows the contacts."""
    project = ModelProject(data_dir / "models")
    project.write("staging/stg_people.sql", "select * from {{ source('raw', 'contacts') }}")
    return project


def kept(connection: duckdb.DuckDBPyConnection, project: ModelProject, policy: str = "leave_out") -> list[Any]:
    """The row of marts.sales after two builds and a change of the policy."""
    for _ in range(2):
        for model in project.models().values():
            build(connection, model)
    key = SecretStr("a long random text of many characters")
    settings = CrmSettings(personal_data=PersonalData(policy), personal_data_key=key)
    change_policy(connection, settings, histories_of(connection, project.models().values()))
    [row] = connection.execute("from marts.sales").fetchall()
    assert MARK not in repr(row)
    return list(row[1:])


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("sales_accounts", ['[{"id":5,"is_primary":true}]']),
        ("sales_accounts as x, tags as y, lead_score", ['[{"id":5,"is_primary":true}]', '["vip"]', 7]),
        ("medium", ["{}"]),
        ("sales_accounts->>'$[0].name' as x", [None]),
        ("sales_accounts->'$[*].name' as x", [None]),
        ("(sales_accounts->>'$[0].id')::bigint as x, json_array_length(tags) as y", [5, 1]),
        ("{% if is_incremental() %} email {% else %} '' {% endif %} as x", [None]),
    ],
)
def test_undeclared_fields_are_left_out(
    connection: duckdb.DuckDBPyConnection, project: ModelProject, columns: str, expected: list[Any]
) -> None:
    project.mart(INCREMENTAL + "select id, " + columns + " from {{ ref('stg_people') }}")

    assert kept(connection, project) == expected


def test_a_copied_column_is_as_the_raw_one(connection: duckdb.DuckDBPyConnection, project: ModelProject) -> None:
    project.mart(INCREMENTAL + "select id, emails, sales_accounts, email from {{ ref('stg_people') }}")

    row = kept(connection, project, "hash")

    assert connection.execute("select emails, sales_accounts, email from raw.contacts").fetchall() == [tuple(row)]
    assert len(row[2]) == 64


@pytest.mark.parametrize(("old", "expected"), [("lead_score", 7), ("email", None)])
def test_values_of_earlier_rows_are_those_of_their_column(
    connection: duckdb.DuckDBPyConnection, project: ModelProject, old: str, expected: Any
) -> None:
    project.mart(
        INCREMENTAL + "select c.id, c.lead_score, c.email, "
        "{% if is_incremental() %} old." + old + " {% else %} c.lead_score {% endif %} as first "
        "from {{ ref('stg_people') }} as c "
        "{% if is_incremental() %} left join {{ this }} as old on old.id = c.id {% endif %}"
    )

    assert kept(connection, project) == [7, None, expected]


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_ids_of_a_snapshot_tell_nothing_of_a_personal_key(
    connection: duckdb.DuckDBPyConnection, project: ModelProject, policy: str
) -> None:
    config = {"unique_key": "email", "strategy": "check", "check_cols": ["tags"]}
    entry = {"name": "people", "relation": "ref('stg_people')", "config": config}
    project.write("snapshots/people.yml", json.dumps({"snapshots": [entry]}))
    project.mart(INCREMENTAL + "select id from {{ ref('stg_people') }}")

    kept(connection, project, policy)

    guess = "md5($email || '|' || dbt_valid_from::varchar)"
    [[is_guessed, is_there]] = connection.execute(
        f"select dbt_scd_id = {guess}, dbt_scd_id is not null from snapshots.people", {"email": MARK}
    ).fetchall()
    assert (is_guessed, is_there) == (False, True)
