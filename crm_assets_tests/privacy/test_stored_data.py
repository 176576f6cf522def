"""What a changed policy and forgetting do to stored data of a particular kind."""

import json
from collections.abc import Iterator

import duckdb
import pytest

from crm_assets.api import ENDPOINTS
from crm_assets.privacy.forgetting import forget
from crm_assets.privacy.personal_columns import HistoryColumn, may_be_personal
from crm_assets.privacy.policy_change import change_policy
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.http.answers import Answer, status_error
from crm_assets_tests.models.raw_tables import RawTables

FORMER = """
create table raw.leads as select 1 as id, 'ada@example.com' as email;
create table raw._dlt_version as select '{"columns": {"ada_at_example_com": {}}}' as schema;
create view present.leads as from raw.leads;
insert into raw.sync_log values ('leads', 'full', true, now(), 1, 0, 1, 1, 'load_1');
insert into raw.rejected_records (resource, page, reason, record, _dlt_load_id)
values ('leads', 1, 'no id', '{"email": "ada@example.com"}', 'load_1');
"""


def test_a_former_list_is_dropped_and_named() -> None:
    with duckdb.connect() as connection:
        RawTables(connection).add("contacts", 1, email="ann@example.com")
        connection.execute(FORMER)

        change = change_policy(connection, CrmSettings(personal_data=PersonalData.leave_out), {})

        tables = {name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()}
        views = {name for (name,) in connection.execute("select view_name from duckdb_views()").fetchall()}
        rejected = connection.execute("from raw.rejected_records").fetchall()
    assert {"raw.leads", "raw._dlt_version"} <= {*change.dropped}
    assert (tables & {"leads", "_dlt_version", "contacts"}, "leads" in views) == ({"contacts"}, False)
    assert rejected == []
    assert "leads" not in ENDPOINTS


INSERT = "insert into raw.sync_details values ('contacts', '', '', '{}', ?, 'load_1', null)"


@pytest.mark.parametrize("message", ["Ada Marked", "Ada's \"Marked", "Ada\nMarked"])
def test_message_of_the_api_is_removed_from_the_log(message: str) -> None:
    answer = Answer(400, {}, json.dumps({"message": message}).encode())
    refusal = str(status_error("contacts, page 3", answer, show_message=True))
    with duckdb.connect() as connection:
        RawTables(connection)
        connection.execute(INSERT, [f"the API lists no more than 2 pages ({refusal})"])
        change = change_policy(connection, CrmSettings(personal_data=PersonalData.leave_out), {})
        [(reason,)] = connection.execute("select incomplete_because from raw.sync_details").fetchall()
    assert reason.startswith("the API lists no more than 2 pages (contacts, page 3: status 400, …")
    assert "Marked" not in reason
    assert "raw.sync_details: messages of the API in 1 row" in change.sentences


def test_copies_of_the_messages_are_personal() -> None:
    columns = ("incomplete_because", "path")
    assert [may_be_personal("raw.sync_details", column) for column in columns] == [True, False]


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
