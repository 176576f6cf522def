"""The raw tables have their declared shape from the first run on, and keep it when a list becomes empty."""

import pytest

from crm_assets.api import ENDPOINTS
from crm_assets.loading.raw_tables import DUCKDB_TYPES
from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import columns, materialize, rows
from crm_assets_tests.scripted_crm import configured_crm


@pytest.mark.long
def test_empty_lists_leave_empty_tables_of_the_declared_shape() -> None:
    with configured_crm():
        run = materialize()
    assert run.success
    for resource in ENDPOINTS:
        found = columns(resource)
        declared = {name: DUCKDB_TYPES[column.data_type] for name, column in resource_schema(resource).columns.items()}
        assert found == declared | {"_dlt_load_id": "VARCHAR", "_dlt_id": "VARCHAR"}
        assert rows(f"select count(*) from raw.{resource}") == [(0,)]
        metadata = run.metadata(resource)
        assert (metadata["dagster/row_count"], metadata["crm/rows_read"], metadata["crm/rows_in_source"]) == (0, 0, 0)
        assert metadata["crm/complete"] is True


@pytest.mark.slow
def test_a_list_that_becomes_empty_keeps_its_table_and_rows() -> None:
    with configured_crm(lists={"open_tasks": [{"id": 1, "title": "Once"}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = []
        run = materialize("open_tasks")
    assert run.success
    assert rows("select id, title from raw.open_tasks") == [(1, "Once")]
    assert rows("select id from present.open_tasks") == []
    assert (run.metadata("open_tasks")["dagster/row_count"], run.metadata("open_tasks")["crm/rows_read"]) == (1, 0)
    assert rows("select complete, rows_read, rows_in_source from raw.sync_log order by started_at") == [
        (True, 1, 1),
        (True, 0, 0),
    ]
