"""The API's own messages are stored with reasons of incomplete reads, and may name people."""

import json

import duckdb
import pytest

from crm_assets.privacy.personal_columns import may_be_personal
from crm_assets.privacy.policy_change import change_policy
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.http.answers import Answer, status_error
from crm_assets_tests.models.raw_tables import RawTables

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
