"""A list that was removed from the API's lists: what is stored of it follows a changed policy, too."""

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.privacy.policy_change import change_policy
from crm_assets.settings import CrmSettings, PersonalData
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
