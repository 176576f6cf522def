"""Building a model: all or nothing, whatever was there before."""

from pathlib import Path
from typing import Any
from unittest.mock import DEFAULT, Mock

import duckdb
import pytest

from crm_assets.errors import ModelError, WrongRows
from crm_assets.runner import builds
from crm_assets.runner.builds import build
from crm_assets.runner.unchanged import report_in
from crm_assets.warehouse.tables import is_lake
from crm_assets_tests.runner.model_project import ModelProject

INCREMENTAL = """
config: {materialized: incremental, unique_key: day}
columns: [{name: day, description: The day.}]
"""
DAYS = "columns: [{name: day, description: The day., data_tests: [unique]}]"


def test_a_table_is_replaced(project: ModelProject) -> None:
    project.build(project.mart("select 1 as day"))
    project.build(project.mart("select 'a' as other"))

    assert project.rows() == [("a",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after", "now"),
    [("view", "table", "BASE TABLE"), ("table", "view", "VIEW"), ("view", "incremental", "BASE TABLE")],
)
def test_a_model_may_change_between_view_and_table(project: ModelProject, before: str, after: str, now: str) -> None:
    for materialized in (before, after):
        properties = INCREMENTAL.replace("incremental", materialized)
        project.build(project.mart("select 1 as day", properties))

    kind = "select table_type from information_schema.tables where table_schema = 'marts'"
    assert project.execute(kind) == [(now,)]


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", ";", " ;\n", "\n-- done"])
@pytest.mark.parametrize("properties", ["{}", INCREMENTAL], ids=["table", "incremental"])
def test_a_file_may_end_as_sql_files_do(project: ModelProject, properties: str, end: str) -> None:
    for _ in range(2):
        project.build(project.mart(f"select 1 as day{end}", properties))

    assert project.rows() == [(1,)]


def test_incremental_model_replaces_rows_by_key(project: ModelProject) -> None:
    for sql in (
        "select 1 as day, 10 as n",
        "select 1 as day, 11 as n union all select 2, 20",
        "select 2 as day, 21 as n",
    ):
        project.build(project.mart(sql, INCREMENTAL))

    assert project.rows() == [(1, 11), (2, 21)]


def test_an_incremental_build_without_rows_keeps_all(project: ModelProject) -> None:
    project.build(project.mart("select 1 as day", INCREMENTAL))
    project.build(project.mart("select 2 as day where false", INCREMENTAL))

    assert project.rows() == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("later", "expected"),
    [
        pytest.param("select 2 as day, 20 as n, 'x' as extra", [(1, 10, None), (2, 20, "x")], id="new column"),
        pytest.param("select 2 as day", [(1, 10), (2, None)], id="column gone"),
        pytest.param("select 2 as day, 2.5 as n", [(1, 10), (2, 2.5)], id="wider type"),
        pytest.param("select 'n/a' as n, 2 as day", [(1, "10"), (2, "n/a")], id="other type, other order"),
    ],
)
def test_earlier_rows_survive_a_change_of_columns(
    project: ModelProject, later: str, expected: list[tuple[Any, ...]]
) -> None:
    project.build(project.mart("select 1 as day, 10 as n", INCREMENTAL))
    project.build(project.mart(later, INCREMENTAL))

    assert project.rows() == expected


@pytest.mark.parametrize(
    ("later", "failed"),
    [
        pytest.param("select 2 as day union all select 2", "day_unique: values of day that occur more", id="twice"),
        pytest.param("select null::int as day", "day_not_null: 1 of 2 rows has no day", id="missing"),
    ],
)
def test_incremental_model_without_a_key_keeps_its_rows(project: ModelProject, later: str, failed: str) -> None:
    project.build(project.mart("select 1 as day", INCREMENTAL))

    with pytest.raises(WrongRows, match=failed):
        project.build(project.mart(later, INCREMENTAL))
    assert project.rows() == [(1,)]


def test_rows_that_fail_a_test_never_replace_right_ones(project: ModelProject) -> None:
    project.build(project.mart("select 1 as day", DAYS))

    with pytest.raises(
        WrongRows, match=r"marts\.sales was not replaced.*day_unique: values of day that occur more than once: 1"
    ):
        project.build(project.mart("select 2 as day union all select 2", DAYS))
    assert project.rows() == [(1,)]


def test_rows_that_fail_a_test_are_not_seen_by_others_meanwhile(project: ModelProject, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "w.duckdb")) as writer, writer.cursor() as reader:
        build(writer, project.mart("select 1 as day", DAYS))
        with pytest.raises(WrongRows):
            build(writer, project.mart("select 2 as day union all select 2", DAYS))
        assert reader.execute("from marts.sales").fetchall() == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("select\n    1 as day,\n    nope\n", r"sales\.sql:3: Binder Error: .*nope", id="no such column"),
        pytest.param("select 1 as day,\n    cast('x' as int) as n", r"sales\.sql:2: Conversion Error", id="bad value"),
        pytest.param("select day\nfrom raw.accounts", r"sales\.sql:2: .*Materialize the assets", id="not there yet"),
    ],
)
@pytest.mark.parametrize("properties", ["{}", INCREMENTAL], ids=["table", "incremental"])
def test_an_error_names_file_and_line_and_changes_nothing(
    project: ModelProject, sql: str, message: str, properties: str
) -> None:
    project.build(project.mart("select 1 as day", properties))

    with pytest.raises(ModelError, match=message):
        project.build(project.mart(sql, properties))
    assert project.rows() == [(1,)]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("select 1 as day", "select 1 as nope", "unique_key names day, but the SELECT has no such column: correct"),
        ("select 1 as other", "select 1 as day", "unique_key names day, but the table has no such column: rebuild"),
    ],
    ids=["select", "table"],
)
def test_key_that_is_no_column_is_named_with_the_file(
    project: ModelProject, before: str, after: str, message: str
) -> None:
    project.build(project.mart(before, INCREMENTAL if "day" in before else "config: {materialized: table}"))

    with pytest.raises(ModelError, match=rf"sales\.sql:1: {message}"):
        project.build(project.mart(after, INCREMENTAL))


@pytest.mark.parametrize(
    ("error", "may_recover"), [(duckdb.InternalException, True), (duckdb.OutOfRangeException, False)]
)
def test_an_internal_error_of_duckdb_may_not_come_back(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch, error: type[duckdb.Error], may_recover: bool
) -> None:
    monkeypatch.setattr("crm_assets.runner.builds.materialize", Mock(side_effect=error("INTERNAL Error: 5")))
    with pytest.raises(ModelError) as raised:
        project.build(project.mart("select 1 as day"))

    assert raised.value.may_recover is may_recover
    assert ("run this again" in str(raised.value)) is may_recover


@pytest.mark.parametrize("function", ["materialize", "_count"], ids=["table", "test"])
def test_a_model_is_built_again_after_an_internal_error(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    attempts = [duckdb.InternalException("INTERNAL Error: 5"), DEFAULT]
    wrapped = Mock(wraps=getattr(builds, function), side_effect=attempts)
    monkeypatch.setattr(builds, function, wrapped)
    tested = "columns: [{name: day, data_tests: [{not_null: {config: {warn_if: '>= 0', error_if: '> 0'}}}]}]"
    project.build(project.mart("select 1 as day", tested))

    assert (project.rows(), wrapped.call_count) == ([(1,)], len(attempts))


def test_a_connection_that_cannot_be_used_says_so_itself(project: ModelProject) -> None:
    connection = duckdb.connect()
    connection.close()

    with pytest.raises(duckdb.ConnectionException):
        build(connection, project.mart("select 1 as day"))


@pytest.mark.parametrize("materialized", ["table", "view"])
def test_descriptions_become_comments(project: ModelProject, materialized: str) -> None:
    properties = (
        '{description: It\'s one row a day., columns: [{name: day, description: The "day".}], '
        f"config: {{materialized: {materialized}}}}}"
    )
    for _ in range(2):
        project.build(project.mart("select 1 as day, 2 as n", properties))

    marts = "where schema_name = 'marts'"
    [[of_table]] = project.execute(f"select comment from duckdb_{materialized}s() {marts}")
    of_columns = project.execute(f"select column_name, comment from duckdb_columns() {marts}")
    described = None if materialized == "view" and is_lake(project.connection) else 'The "day".'  # a lake cannot
    assert (of_table, of_columns) == ("It's one row a day.", [("day", described), ("n", None)])


def test_variables_of_the_session_are_part_of_a_view(project: ModelProject) -> None:
    report_in(project.connection, "Asia/Kolkata", 4)
    columns = "'{{ var(\"reporting_timezone\") }}' as day, {{ var('fiscal_year_start') }} as n"
    project.build(project.mart(f"select {columns}", "config: {materialized: view}"))
    report_in(project.connection, "UTC")

    assert project.rows() == [("Asia/Kolkata", 4)]


@pytest.mark.parametrize("strategy", ["append", "delete+insert", "merge"])
@pytest.mark.parametrize(
    ("earlier", "new"),
    [
        ("9007199254740993", "0.5::double"),
        ("0.5::double", "9007199254740993"),
        ("1.25::decimal(38, 2)", "1.2345::decimal(38, 10)"),
        ("12345678901234567.89::decimal(20, 2)", "0.5::double"),
    ],
)
def test_no_value_is_rounded_where_types_differ(project: ModelProject, strategy: str, earlier: str, new: str) -> None:
    config = "{{ config(materialized='incremental', unique_key='id', incremental_strategy='" + strategy + "') }}\n"
    project.build(project.mart(f"{config}select 1 as id, {earlier} as amount"))
    before = project.execute("from marts.sales")

    with pytest.raises(ModelError, match=r"column amount is .* would change: cast the column"):
        project.build(project.mart(f"{config}select 2 as id, {new} as amount"))

    assert project.execute("from marts.sales") == before
