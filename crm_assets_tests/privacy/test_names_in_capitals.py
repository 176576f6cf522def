"""Privacy commands find tables of models whose names have capitals: addresses of models are in lower case."""

from collections.abc import Iterator

import duckdb
import pytest

from crm_assets.privacy.forgetting import forget
from crm_assets.privacy.personal_columns import HistoryColumn
from crm_assets.privacy.policy_change import change_policy
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets_tests.models.raw_tables import RawTables


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A contact, and a history of it in a table with capitals."""
    with duckdb.connect() as connection:
        RawTables(connection).add("contacts", 1, email="ann@example.com")
        connection.execute("create schema marts; create table marts.HIST as select 1 as contact_id, 'ann' as email")
        yield connection


def test_history_in_capitals_is_redacted_and_kept(connection: duckdb.DuckDBPyConnection) -> None:
    change_policy(
        connection,
        CrmSettings(personal_data=PersonalData.leave_out),
        {"marts.hist": [HistoryColumn("email", is_personal=True)]},
    )

    assert connection.execute("from marts.HIST").fetchall() == [(1, None)]


@pytest.mark.parametrize("type_", ["bigint", "varchar"])
def test_history_in_capitals_is_forgotten(connection: duckdb.DuckDBPyConnection, type_: str) -> None:
    connection.execute(f"alter table marts.HIST alter contact_id type {type_}")

    erased = forget(connection, "contacts", [1], {"marts.hist": ["Contact_ID"]}, [])

    assert erased.rows["marts.hist"] == 1
    assert connection.execute("from marts.HIST").fetchall() == []
