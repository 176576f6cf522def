"""Models have the same rows in a lake as in a file, whatever the types of their columns."""

from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm_assets.__main__ import main
from crm_assets.loading.shared_tables import create_side_loaded
from crm_assets.privacy.applying import rebuild
from crm_assets.runner.builds import build
from crm_assets.runner.loading import load_models
from crm_assets.runner.unchanged import BuildState
from crm_assets.sandbox import serving_sandbox
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets import raw_runs
from crm_assets_tests.assets.model_runs import failure, run
from crm_assets_tests.lake_servers import LakeServers
from crm_assets_tests.runner.model_project import ModelProject
from crm_assets_tests.warehouse.statements import read

pytestmark = pytest.mark.slow

TABLES = """
select table_schema || '.' || table_name
from information_schema.tables
where table_catalog = current_database() and table_schema in ('staging', 'marts', 'snapshots', 'seeds')
"""


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    """A folder for models, empty."""
    return ModelProject(tmp_path / "models")


def rows_of_models() -> dict[str, list[str]]:
    """Builds all models, and returns the rows of each as text, sorted."""
    models, message = load_models(), list[str]()
    with Warehouse().get_connection() as connection:
        rebuild(connection, models, [model.address for model in models], message.append)
        tables = sorted(table for (table,) in connection.execute(TABLES).fetchall())
        rows = {table: texts(connection, table) for table in tables}
    assert message == []
    return rows


def texts(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """A table's rows, without the time of the build."""
    query = f"select columns(name -> name <> 'taken_at')::varchar from {table}"
    return sorted(map(repr, connection.execute(query).fetchall()))


@pytest.mark.long
def test_all_models_have_the_same_rows_as_in_a_file(
    data_dir: Path, servers: LakeServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_sandbox(rows=200) as sandbox:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", sandbox.base_url)
        monkeypatch.setenv("SOURCES__CRM__API_KEY", sandbox.api_key)
        assert raw_runs.materialize().success
    in_file = rows_of_models()
    assert sum(map(bool, in_file.values())) > 20

    for name, value in servers.new_lake().items():
        monkeypatch.setenv(name, value)
    assert main(["move-to-lake", str(data_dir / "crm.duckdb")]) == 0
    in_lake = rows_of_models()
    assert in_lake.keys() == in_file.keys()
    assert [table for table in in_file if in_lake[table] != in_file[table]] == []


@pytest.mark.long
@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("-12345678901234567890123456789012345678::hugeint", "-12345678901234567890123456789012345678"),
        pytest.param("'b'::enum ('a', 'b')", "b"),
        pytest.param("'0101'::bit", "0101"),
        pytest.param("[0.1::double, null]", "[0.1, NULL]"),
        pytest.param("{'n': 9007199254740993}", "{'n': 9007199254740993}"),
    ],
    ids=["hugeint", "enum", "bit", "list", "struct"],
)
def test_a_value_is_stored_exactly(project: ModelProject, value: str, stored: str) -> None:
    with Warehouse().get_connection() as connection:
        build(connection, project.mart(f"select {value} as day"))
    assert read("select day::varchar from marts.sales") == [(stored,)]


VERSION = "select max(schema_version) from __ducklake_metadata_lake.sandbox.ducklake_snapshot"

DESCRIBED = "{description: Sales., columns: [{name: day, description: A day.}]}"


@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("kind", "day", "description", "changes"),
    [
        pytest.param("table", "id", "Sales.", False, id="same table"),
        pytest.param("view", "id", "Sales.", False, id="same view"),
        pytest.param("table", "id::varchar", "Sales.", True, id="types"),
        pytest.param("view", "id + 1", "Sales.", True, id="select"),
        pytest.param("table", "id", "All sales.", True, id="comments"),
    ],
)
def test_a_built_model_changes_the_schema_if_it_differs(
    project: ModelProject, kind: str, day: str, description: str, *, changes: bool
) -> None:
    def built(day: str, described: str) -> None:
        sql = f"{{{{ config(materialized='{kind}') }}}} select {day} as day from raw.side_loaded"
        build(connection, project.mart(sql, described))

    with Warehouse().get_connection() as connection:
        create_side_loaded(connection)
        connection.execute("insert into raw.side_loaded values ('users', 1, '{}', 'load_1')")
        built("id", DESCRIBED)
        before = connection.execute(VERSION).fetchall()
        connection.execute("insert into raw.side_loaded values ('users', 2, '{}', 'load_1')")
        built(day, DESCRIBED.replace("Sales.", description))
        assert (connection.execute(VERSION).fetchall() != before) is changes
        fresh = connection.execute(f"select {day} from raw.side_loaded order by all").fetchall()
        assert connection.execute("from marts.sales order by all").fetchall() == fresh
        of_table = f"select comment from duckdb_{kind}s() where {kind}_name = 'sales'"
        assert connection.execute(of_table).fetchall() == [(description,)]
        of_column = "select comment from duckdb_columns() where table_name = 'sales'"
        assert connection.execute(of_column).fetchall() == [("A day." if kind == "table" else None,)]


@pytest.mark.usefixtures("lake")
def test_what_is_known_of_a_lake_holds_until_others_write(project: ModelProject) -> None:
    model = project.mart("select 1 as day")
    with Warehouse().get_connection(tables=["marts.sales"]) as connection:
        known = build(connection, model).state
        found = BuildState.of(connection, model.reads, known)
        assert found == known == BuildState.of(connection, model.reads)
        assert found.tables is known.tables
        with Warehouse().get_connection(tables=["raw.notes"]) as other:
            other.execute("create table raw.notes as select 1 as n")
        assert "raw.notes" in BuildState.of(connection, model.reads, known).tables


@pytest.mark.long
@pytest.mark.usefixtures("lake")
def test_lineage_knows_columns_that_the_run_has_added(project: ModelProject) -> None:
    for columns in ("1 as day", "1 as day, 2 as n"):
        project.mart(f"select {columns}")
        project.write("marts/totals.sql", "select * from {{ ref('sales') }}")
        result = run(project)
    [totals] = result.asset_materializations_for_node("marts__totals")
    lineage: Any = totals.metadata["dagster/column_lineage"].value
    assert {column: dep.column_name for column, [dep] in lineage.deps_by_column.items()} == {"day": "day", "n": "n"}


@pytest.mark.long
@pytest.mark.usefixtures("lake")
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("170141183460469231731687303715884105727::hugeint", "DECIMAL"),
        ("union_value(n := 1)", "day, which is UNION(n INTEGER)"),
        ("interval '1.000001 seconds'", "day, which is INTERVAL"),
        ("'12:00:00+05:30'::timetz", "day, which is TIME WITH TIME ZONE"),
        ("[{'n': 9007199254740993::hugeint}]", "day, which is STRUCT(n HUGEINT)[]"),
        ("[0.5]::float[1]", "day, which is FLOAT[1]"),
        ("'12:00:00.1'::time_ns", "day, which is TIME_NS"),
    ],
)
def test_table_that_a_lake_cannot_store_is_refused_alone(project: ModelProject, value: str, why: str) -> None:
    project.mart(f"select {value} as day")
    project.write("marts/another.sql", "select 1 as n")
    shown = failure(run(project))
    assert "marts/sales.sql" in shown
    assert why in shown
    assert read("from marts.another") == [(1,)]
