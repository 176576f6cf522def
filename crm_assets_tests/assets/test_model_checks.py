"""The data tests of a model in Dagster: what fails, what goes on, and what is shown."""

import logging

import pytest
from dagster import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, AssetSelection, DagsterInstance

from crm_assets.assets.attributes import log_with_checks
from crm_assets.definitions import defs
from crm_assets.runner.builds import build
from crm_assets.runner.loading import load_models
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.assets.model_runs import SALES, checks, execute, failure, run
from crm_assets_tests.runner.model_project import ModelProject

pytestmark = pytest.mark.usefixtures("accounts")

UNIQUE = "columns: [{name: day, description: The day., data_tests: [unique]}]"

WARN = """
columns:
  - name: day
    description: The day.
    data_tests: [{expression_is_true: {arguments: {expression: %s}, config: {severity: warn}}}]
"""


@pytest.mark.slow
def test_failed_error_test_keeps_table_and_downstream(project: ModelProject) -> None:
    project.write("marts/above.sql", "select count(*) as days from marts.sales")
    project.mart("select id as day from raw.accounts", UNIQUE)
    run(project)
    execute("insert into raw.accounts values (1)")

    result = run(project)

    assert "marts.sales was not replaced" in failure(result)
    assert [event.asset_key for event in result.get_asset_materialization_events()] == []
    assert execute("from marts.sales order by day") == [(1,), (2,)]
    assert execute("from marts.above") == [(2,)]


def test_a_failed_error_test_shows_count_and_sql_and_no_rows(project: ModelProject) -> None:
    project.mart("select 1 as day from raw.accounts", UNIQUE)

    check = checks(run(project))["day_unique"]
    assert (check.passed, check.severity) == (False, AssetCheckSeverity.ERROR)
    assert check.metadata["failing"].value == 1
    assert "group by day" in str(check.metadata["sql"].value)
    assert check.metadata.keys() == {"failing", "sql"}


@pytest.mark.slow
def test_a_failed_warn_test_stops_nothing(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts", WARN % "'< 2'")
    project.write("marts/above.sql", "select count(*) as days from marts.sales")

    result = run(project)
    check = checks(result)["day_expression_is_true"]
    assert result.success
    assert (check.passed, check.severity, check.blocking) == (False, AssetCheckSeverity.WARN, False)


ONLY_IF_CHANGED = {"marts__sales": {"config": {"only_if_changed": True}}}


@pytest.mark.parametrize("selection", [AssetSelection.all().without_checks(), AssetSelection.all()], ids=["job", "UI"])
def test_results_of_checks_stay_with_a_model_left_alone(project: ModelProject, selection: AssetSelection) -> None:
    project.mart("select 1 as day", WARN % "'< 1'")

    with DagsterInstance.ephemeral() as instance:
        runs = [run(project, ONLY_IF_CHANGED, instance, selection) for _ in range(2)]
    built = [run.asset_materializations_for_node("marts__sales")[0].metadata["crm/built"].value for run in runs]
    found = [checks(run)["day_expression_is_true"] for run in runs]
    assert built == [True, False]
    assert [(check.passed, check.description, check.metadata) for check in found] == [
        (False, "1 of 1 rows does not fulfil: day < 1", found[0].metadata)
    ] * 2


def test_model_built_without_dagster_is_built_again_to_show_it(project: ModelProject) -> None:
    """So is one whose run was killed after the commit."""
    project.mart("select 1 as day")

    with DagsterInstance.ephemeral() as instance:
        run(project, ONLY_IF_CHANGED, instance)
        project.mart("select 1 as day union all select 2")
        with Warehouse().get_connection() as connection:
            build(connection, project.models()["marts.sales"])
        result = run(project, ONLY_IF_CHANGED, instance)
    assert result.asset_materializations_for_node("marts__sales")[0].metadata["dagster/row_count"].value == 2


def test_model_whose_checks_have_no_results_is_built(project: ModelProject) -> None:
    project.mart("select 1 as day")

    with DagsterInstance.ephemeral() as instance:
        run(project, None, instance)
        project.mart("select 1 as day", WARN % "'< 1'")
        run(project, None, instance, AssetSelection.all().without_checks())
        result = run(project, ONLY_IF_CHANGED, instance)
    assert not checks(result)["day_expression_is_true"].passed


def test_a_warn_test_that_cannot_be_run_stops_nothing(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts", WARN % "'> nope'")

    result = run(project)
    assert result.success
    assert "could not be run" in (checks(result)["day_expression_is_true"].description or "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sql", "warned"),
    [
        pytest.param("select 1 as day", [], id="as described"),
        pytest.param("select 1 as day, 2 as n", ["describe n in "], id="one more"),
        pytest.param("select 2 as n", ["describe n in ", "remove day from "], id="another"),
    ],
)
def test_columns_that_are_not_as_described_are_warnings(
    project: ModelProject, sql: str, warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    project.mart(sql, "columns: [{name: day, description: The day.}]")

    assert run(project).success
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [any(text in warning for warning in warnings) for text in warned] == [True] * len(warned)
    assert sum("marts.yml" in warning for warning in warnings) == len(warned)


RELATED = """
columns:
  - name: day
    description: The day.
    data_tests: [{relationships: {arguments: {to: ref('calendar'), field: day}, config: {severity: %s}}}]
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("severity", "built"), [("error", {"calendar", "sales"}), ("warn", {"calendar", "sales", "above"})]
)
def test_a_comparison_with_a_table_not_read_waits_for_it(project: ModelProject, severity: str, built: set[str]) -> None:
    project.write("marts/calendar.sql", "select 1 as day")
    project.write("marts/above.sql", "select count(*) as days from marts.sales")
    project.mart("select id as day from raw.accounts", RELATED % severity)

    result = run(project)
    check = checks(result)["day_relationships"]
    assert check.metadata["failing"].value == 1
    assert {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key} == built


@pytest.mark.slow
def test_rows_that_fail_a_comparison_are_stored_too(project: ModelProject) -> None:
    compared = (
        "{relationships: {arguments: {to: ref('days'), field: id}, config: {severity: warn, store_failures: true}}}"
    )
    project.write("marts/days.sql", "select 1 as id from raw.accounts limit 1")
    project.mart("select id as day from raw.accounts", f"columns: [{{name: day, data_tests: [{compared}]}}]")
    run(project)

    assert execute("from dbt_test__audit.sales_day_relationships") == [(2,)]


def test_every_model_of_the_project_is_an_asset_with_checks() -> None:
    graph = defs.resolve_asset_graph()
    models = {AssetKey(model.address.split(".")) for model in load_models()}

    assert models <= graph.materializable_asset_keys
    assert models <= {check.asset_key for check in graph.asset_check_keys}


@pytest.mark.parametrize(("passed", "said"), [(1, "1 check passed"), (2, "2 checks passed")], ids=["one", "two"])
def test_log_counts_checks_that_passed(passed: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    results = [AssetCheckEvaluation(SALES, f"check_{number}", True) for number in range(passed)]
    log_with_checks(logging.getLogger("builds"), "marts.a: 1 row", results, logging.WARNING)
    assert caplog.messages == [f"marts.a: 1 row; {said}"]
