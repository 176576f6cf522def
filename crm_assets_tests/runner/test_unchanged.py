"""Models that are left alone: what makes a build necessary, and what does not."""

import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from crm_assets.errors import ModelError
from crm_assets.loading.shared_tables import create_shared_tables
from crm_assets.runner.lineage import is_stable
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.unchanged import BuildState, is_current, report_in
from crm_assets_tests.runner.model_project import ModelProject

EARLY, LATE = "Pacific/Kiritimati", "Pacific/Pago_Pago"
"""Time zones that never have the same day."""

MARTS = """
models:
  - name: sales
    description: One row per deal.
    columns:
      - name: id
        description: The deal.
        data_tests: [unique]
  - name: daily
    description: One row per deal.
    config: {depends_on_today: true}
"""


def load(connection: duckdb.DuckDBPyConnection, resource: str, load_id: str, version: str) -> None:
    connection.execute(
        "insert into raw.sync_changes by name select ? as resource, 0 as rows_new, 0 as rows_changed, "
        "0 as rows_vanished, 0 as rows_returned, ? as version, ? as _dlt_load_id",
        [resource, version, load_id],
    )


def see_user(connection: duckdb.DuckDBPyConnection, load_id: str, name: str) -> None:
    record = json.dumps({"id": 1, "name": name})
    connection.execute("insert into raw.side_loaded values ('users', 1, ?, ?)", [record, load_id])


@pytest.fixture
def models(project: ModelProject) -> ModelProject:
    """Two lists that were loaded, and models of one of them that were built."""
    create_shared_tables(project.connection)
    for resource in ("won_deals", "accounts"):
        project.execute(f"create table raw.{resource} as select 1 as id")
        load(project.connection, resource, "load_1", "load_1")
    see_user(project.connection, "load_1", "Ann")
    report_in(project.connection, EARLY)
    project.write("staging/stg_deals.sql", "select id from {{ source('raw', 'won_deals') }}")
    project.write("marts/sales.sql", "select id from {{ ref('stg_deals') }}")
    project.write("marts/daily.sql", "select id, current_date as day from {{ ref('stg_deals') }}")
    project.write("marts/marts.yml", MARTS)
    project.write("staging/stg_names.sql", "select record from {{ source('raw', 'side_loaded') }}")
    project.write("seeds/targets.csv", "month\n1\n")
    for model in project.models().values():
        project.build(model)
    return project


def built_again(project: ModelProject) -> list[str]:
    """The names of the models that are not current, in order. They are built."""
    changed: list[Model] = []
    for model in project.models().values():
        if not is_current(BuildState.of(project.connection, model.reads), model):
            project.build(model)
            changed.append(model)
    return [model.name for model in changed]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        pytest.param("models/marts/sales.sql", "select id", "select 2 * id as id", ["sales"], id="its SQL"),
        pytest.param("models/staging/stg_deals.sql", "id", "id + 1 as id", ["stg_deals", "daily", "sales"], id="SQL"),
        pytest.param("models/marts/marts.yml", "[unique]", "[not_null]", ["sales"], id="its tests"),
        pytest.param("models/marts/marts.yml", "The deal.", "A deal.", ["sales"], id="its description"),
        pytest.param("seeds/targets.csv", "1", "2", ["targets"], id="a seed"),
    ],
)
def test_changed_files_are_built(models: ModelProject, file: str, old: str, new: str, expected: list[str]) -> None:
    edit(models.folder / file, old, new)
    assert sorted(built_again(models)) == sorted(expected)
    assert built_again(models) == []


def test_changed_type_of_a_contract_is_compared(models: ModelProject) -> None:
    contract = "models: [{name: agreed, config: {contract: {enforced: true}}, columns: [{name: id, data_type: int}]}]"
    file = models.write("marts/agreed.yml", contract)
    models.write("marts/agreed.sql", "select id from {{ ref('stg_deals') }}")
    assert built_again(models) == ["agreed"]

    edit(file, "int", "bigint")
    with pytest.raises(ModelError, match="agreed breaks its contract: id is INTEGER, not BIGINT"):
        built_again(models)


def next_day(connection: duckdb.DuckDBPyConnection) -> None:
    report_in(connection, LATE)


CHANGES = {
    "nothing": (lambda _: None, []),
    "a load without changes": (lambda c: load(c, "won_deals", "load_2", "load_1"), []),
    "another list": (lambda c: load(c, "accounts", "load_2", "load_2"), []),
    "rows of its list": (lambda c: load(c, "won_deals", "load_2", "load_2"), ["daily", "sales", "stg_deals"]),
    "another day": (next_day, ["daily"]),
    "another build at the same time": (
        lambda c: c.execute("insert into raw.model_builds values ('marts.sales', 'another', now())"),
        ["sales"],
    ),
    "the same user again": (lambda c: see_user(c, "load_2", "Ann"), []),
    "another name of a user": (lambda c: see_user(c, "load_2", "Bea"), ["stg_names"]),
    "a table that is gone": (lambda c: c.execute("drop table marts.sales"), ["sales"]),
    "a view in place of a table": (
        lambda c: c.execute("drop table marts.sales; create view marts.sales as select 1 as id"),
        ["sales"],
    ),
}


@pytest.mark.long
@pytest.mark.parametrize(("change", "expected"), CHANGES.values(), ids=CHANGES)
def test_changed_data_are_built(
    models: ModelProject, change: Callable[[duckdb.DuckDBPyConnection], object], expected: list[str]
) -> None:
    change(models.connection)
    assert sorted(built_again(models)) == expected


def test_table_of_somebody_else_is_always_read_again(models: ModelProject) -> None:
    models.execute("create schema theirs; create table theirs.rates as select 1 as rate")
    models.write("models/rates.yml", "sources: [{name: theirs, tables: [{name: rates}]}]")
    models.write("marts/rates.sql", "select rate from {{ source('theirs', 'rates') }}")
    models.write("marts/rated.sql", "select rate from {{ ref('rates') }}")
    assert built_again(models) == ["rates", "rated"]
    assert built_again(models) == ["rates", "rated"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("current_date as day", ["extra"], id="a day"),
        pytest.param("date_trunc('month', Now()) as month", ["extra"], id="a clock"),
        pytest.param("random() as number", ["extra"], id="chance"),
        pytest.param("(select max(size) from read_text('*.txt')) as size", ["extra"], id="files"),
        pytest.param("updated_at as now, date_trunc('day', updated_at) as today", [], id="a column named like a clock"),
        pytest.param("(select max(n) from range(3) as t (n)) as numbers", [], id="numbers"),
    ],
)
def test_models_that_depend_on_more_than_tables_are_built_again(
    models: ModelProject, sql: str, expected: list[str]
) -> None:
    models.write("marts/extra.sql", f"select id, {sql} from (select id, null::date as updated_at from raw.won_deals)")
    built_again(models)
    assert built_again(models) == expected


def test_test_with_a_clock_is_run_again(models: ModelProject) -> None:
    edit(
        models.folder / "models/marts/marts.yml",
        "[unique]",
        "[{expression_is_true: {arguments: {expression: < epoch(now())}}}]",
    )
    built_again(models)
    assert built_again(models) == ["sales"]


@pytest.mark.parametrize("call", ["age(id)", "current_localtimestamp()", "current_localtime()", "getvariable('x')"])
def test_clocks_that_duckdb_calls_consistent_are_none(call: str) -> None:
    assert not is_stable(f"select {call} from deals")


def test_model_marked_as_independent_of_the_day_is_left_alone(models: ModelProject) -> None:
    edit(models.folder / "models/marts/marts.yml", "depends_on_today: true", "depends_on_today: false")
    built_again(models)
    report_in(models.connection, LATE)
    assert built_again(models) == []


def test_models_of_the_project_say_whether_they_depend_on_the_day() -> None:
    models = load_models()
    unmarked = [model for model in models if "depends_on_today" not in model.config]
    assert [model.name for model in unmarked if model.materialized != "seed" and not is_stable(model.sql)] == []
    assert unmarked
