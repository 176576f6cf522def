"""Faults of DuckLake that the project works around. A test that fails says which code is not needed any more."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
import pytest

from crm_assets.warehouse.lake.address import EXTENSIONS, allow_s3, connected_with
from crm_assets_tests.lake_servers import LakeServers
from crm_assets_tests.warehouse.catalog_proxy import catalog_proxy

pytestmark = pytest.mark.slow


@contextmanager
def ducklake_alone(lake: dict[str, str], address: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """A lake without anything of ours."""
    with connected_with(EXTENSIONS, {}) as connection:
        allow_s3(connection)
        connection.execute(
            f"attach '{address or lake['CRM_WAREHOUSE']}' as lake "
            f"(data_path '{lake['CRM_WAREHOUSE_FILES']}', data_inlining_row_limit 0); use lake"
        )
        yield connection


@pytest.mark.long
def test_ducklake_deletes_files_of_a_commit_whose_answer_is_lost(servers: LakeServers, lake: dict[str, str]) -> None:
    with ducklake_alone(lake) as connection:
        connection.execute("create table t as select 1 as i")
    with catalog_proxy(servers.postgres_port) as proxy:
        address = lake["CRM_WAREHOUSE"].replace(f"port={servers.postgres_port}", f"port={proxy.port}")
        with suppress(duckdb.Error), ducklake_alone(lake, address) as connection:
            connection.execute("begin; insert into t select * from range(1000)")
            proxy.lose_answer_of_commit(1)
            connection.execute("commit")
    with ducklake_alone(lake) as connection:
        [[files]] = connection.execute("select count(*) from ducklake_list_files('lake', 't')").fetchall()
        readable = True
        try:
            connection.execute("select sum(i) from t").fetchall()
        except duckdb.Error:
            readable = False
    assert files == 2, "the commit was not made, so nothing is shown"
    assert not readable, "DuckLake keeps the files of a commit: delete lake_commit.py, except for the check of the lock"


def test_ducklake_keeps_bounds_of_deleted_values(lake: dict[str, str]) -> None:
    with ducklake_alone(lake) as connection:
        connection.execute(
            "create table t as select range i, range::varchar as text, json_array(text) as list from range(1000, 4000)"
        )
        for column in ("text", "list"):
            connection.execute(f"update t set {column} = case when i <> 3999 then {column} end")
        connection.execute("call ducklake_rewrite_data_files('lake', delete_threshold => 0)")
        connection.execute("call ducklake_expire_snapshots('lake', older_than => now())")
        bounds = "select max_value from __ducklake_metadata_lake.ducklake_table_column_stats where column_id = 2"
        [[greatest]] = connection.execute(bounds).fetchall()
    assert greatest == "3999", "DuckLake forgets bounds of deleted values: delete _renew_bounds"


ASKED = "select count(*) from duckdb_logs where contains(message, 'ducklake_table_column_stats')"


def test_ducklake_asks_for_bounds_of_an_empty_table_again(lake: dict[str, str]) -> None:
    asked: list[int] = []
    with ducklake_alone(lake) as connection:
        connection.execute("create table t (a varchar, b varchar); create table emptied as select 'a' as a, 'b' as b")
        connection.execute("delete from emptied; call enable_logging('PostgresQueryLog')")
        for table in ("t", "emptied"):
            connection.execute("call truncate_duckdb_logs()")
            connection.execute(f"select a, b from {table} where a <> b").fetchall()
            asked += connection.execute(ASKED).fetchone() or ()
    never_filled, emptied = asked
    assert never_filled > max(1, emptied), "DuckLake asks once for bounds: delete create_in_lake, SELDOM and their rows"
