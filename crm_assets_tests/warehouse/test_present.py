"""The views of schema present: the rows that the CRM lists now, with cleaned texts, in a file and in a lake."""

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets.loading.raw_tables import declare_tables, show_present
from crm_assets.loading.shared_tables import create_shared_tables
from crm_assets.warehouse.lake.address import connected_with

ADD = "insert into raw.open_tasks (id, title, _dlt_load_id, _dlt_id) values (?, ?, ?, '')"
LOG = "insert into raw.sync_log values (?, ?, ?, now(), 1, 0, 0, null, ?)"


@pytest.fixture(params=["file", pytest.param("lake", marks=pytest.mark.slow)])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Empty raw tables and their views, in a DuckDB file or in a DuckLake."""
    if request.param == "lake":
        request.getfixturevalue("lake_extensions")
    extensions, prefix = (["ducklake"], "ducklake:") if request.param == "lake" else ([], "")
    with connected_with(extensions, {}) as connection:
        connection.execute(f"attach '{prefix}{tmp_path}/crm.duckdb' as crm; use crm")
        create_shared_tables(connection)
        declare_tables(connection)
        show_present(connection, "open_tasks", columns_changed=False)
        yield connection


def shown(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str | None]]:
    return connection.execute("select id, title from present.open_tasks order by id").fetchall()


def test_row_is_shown_if_seen_since_the_last_complete_read(warehouse: duckdb.DuckDBPyConnection) -> None:
    for id_, load in enumerate(("1", "2", "3"), 1):
        warehouse.execute(ADD, [id_, "Call", load])
    for resource, mode, complete, load in [
        ("open_tasks", "full", True, "2"),
        ("open_tasks", "full", False, "3"),
        ("open_tasks", "incremental", True, "3"),
        ("accounts", "full", True, "3"),
    ]:
        warehouse.execute(LOG, [resource, mode, complete, load])

    assert shown(warehouse) == [(2, "Call"), (3, "Call")]


def test_texts_are_trimmed_and_empty_ones_are_null(warehouse: duckdb.DuckDBPyConnection) -> None:
    spaces = "".join(filter(str.isspace, map(chr, range(sys.maxunicode))))
    for id_, title in enumerate((" Call ", "  ", "", "\tCall\nBack\r\n", spaces, f"{spaces}a{spaces}b\0{spaces}"), 1):
        warehouse.execute(ADD, [id_, title, "1"])

    titles = [title for _, title in shown(warehouse)]
    assert titles == ["Call", None, None, "Call\nBack", None, f"a{spaces}b\0"]


def test_a_value_that_does_not_fit_its_column_is_shown_unchanged(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table raw.open_tasks add column due_date__v_text varchar")
    warehouse.execute(ADD, [1, "Call", "1"])
    warehouse.execute("update raw.open_tasks set due_date__v_text = ' soon '")
    show_present(warehouse, "open_tasks", columns_changed=False)

    assert warehouse.execute("select due_date__v_text from present.open_tasks").fetchall() == [(" soon ",)]


def test_a_view_stays_until_columns_or_their_types_change(warehouse: duckdb.DuckDBPyConnection) -> None:
    view = "select view_oid from duckdb_views() where view_name = 'open_tasks'"
    before = warehouse.execute(view).fetchall()
    show_present(warehouse, "open_tasks", columns_changed=False)
    assert warehouse.execute(view).fetchall() == before

    show_present(warehouse, "open_tasks", columns_changed=True)
    assert warehouse.execute(view).fetchall() != before


def test_a_column_of_a_later_load_is_shown(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("alter table raw.open_tasks add column priority bigint")
    show_present(warehouse, "open_tasks", columns_changed=False)

    assert warehouse.execute("select priority from present.open_tasks").fetchall() == []
