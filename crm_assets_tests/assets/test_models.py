"""A model as a Dagster asset: its specification, and the results of its materialization."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    DagsterInstance,
    DagsterInvalidConfigError,
    ExecuteInProcessResult,
    materialize,
)

from crm_assets.assets import models as models_module
from crm_assets.assets.attributes import OWNERS
from crm_assets.assets.model_checks import build_model_checks
from crm_assets.assets.models import build_model_assets, model_asset
from crm_assets.definitions import defs
from crm_assets.loading.side_loaded import SIDE_LOADED
from crm_assets.runner.loading import load_models
from crm_assets.settings import Crm
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.runner.model_project import ModelProject

SALES = AssetKey(["marts", "sales"])
UNIQUE = "columns: [{name: day, description: The day., data_tests: [unique]}]"
WARN = """
columns:
  - name: day
    description: The day.
    data_tests: [{expression_is_true: {arguments: {expression: %s}, config: {severity: warn}}}]
"""


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    """A folder for models, empty."""
    return ModelProject(tmp_path / "models")


@pytest.fixture(autouse=True)
def _accounts(data_dir: Path) -> None:
    """Two accounts in the warehouse."""
    data_dir.mkdir()
    execute("create schema raw; create table raw.accounts as select 1 as id union all select 2")


def execute(sql: str) -> list[tuple[Any, ...]]:
    """A statement's rows."""
    with Warehouse().get_connection() as connection:
        return connection.execute(sql).fetchall()


def run(
    project: ModelProject,
    launchpad: Mapping[str, Any] | None = None,
    instance: DagsterInstance | None = None,
    selection: AssetSelection | None = None,
) -> ExecuteInProcessResult:
    """Materializes all models of a project with their checks."""
    models = list(project.models().values())
    return materialize(
        [*build_model_assets(Crm(), models), *build_model_checks(Crm(), models)],
        resources={"crm_warehouse": Warehouse()},
        run_config={"ops": dict(launchpad or {})},
        instance=instance or DagsterInstance.ephemeral(),
        selection=selection,
        raise_on_error=False,
    )


def checks(result: ExecuteInProcessResult) -> dict[str, AssetCheckEvaluation]:
    """What was checked, by name."""
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def failure(result: ExecuteInProcessResult) -> str:
    """What the user sees of the one step that failed."""
    [event] = [event for event in result.all_events if event.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None, event.step_failure_data.error
    return failure.description or ""


def metadata(result: ExecuteInProcessResult) -> dict[str, Any]:
    """What the materialization of `marts.sales` carries."""
    [event] = result.asset_materializations_for_node("marts__sales")
    return {name: value.value for name, value in event.metadata.items()}


def tagged(result: ExecuteInProcessResult) -> list[str]:
    """The columns of `marts.sales` that are tagged as personal."""
    return [c.name for c in metadata(result)["dagster/column_schema"].columns if "personal_data" in c.tags]


def asset(project: ModelProject, sql: str, properties: str = "{}") -> AssetsDefinition:
    return model_asset(Crm(), project.mart(sql, properties), {})


def test_model_is_an_asset_that_depends_on_its_tables(project: ModelProject) -> None:
    sales = asset(project, "select * from raw.accounts")

    assert (sales.key, sales.dependency_keys) == (SALES, {AssetKey(["raw", "accounts"])})
    assert sales.group_names_by_key[SALES] == "marts"


@pytest.mark.parametrize(
    ("properties", "owner"),
    [
        pytest.param("{}", OWNERS[0], id="that of all assets"),
        pytest.param("meta: {owner: 'team:sales'}", "team:sales", id="its own"),
        pytest.param("config: {meta: {owner: ann@example.com}}", "ann@example.com", id="within config"),
    ],
)
def test_a_model_has_an_owner(project: ModelProject, properties: str, owner: str) -> None:
    assert asset(project, "select 1 as day", properties).specs_by_key[SALES].owners[0] == owner


def test_model_has_its_tags_of_dbt(project: ModelProject) -> None:
    spec = asset(project, "select 1 as day", "config: {tags: [daily, by hand]}").specs_by_key[SALES]

    assert {"daily", "by_hand"} <= spec.tags.keys()


def test_the_catalog_shows_description_sql_and_files(project: ModelProject) -> None:
    spec = asset(project, "select 1 as day", "description: One row a day.").specs_by_key[SALES]

    assert spec.description == "One row a day.\n\n```sql\nselect 1 as day\n```"
    references = spec.metadata["dagster/code_references"].code_references
    assert [Path(reference.file_path).name for reference in references] == ["sales.sql", "marts.yml", "README.md"]


@pytest.mark.parametrize(
    ("sql", "properties"),
    [("select 2 as day", "{}"), ("select 1 as day", "config: {materialized: view}")],
    ids=["SQL", "materialization"],
)
def test_the_code_version_changes_with(project: ModelProject, sql: str, properties: str) -> None:
    before = project.mart("select 1 as day").code_version

    assert project.mart(sql, properties).code_version != before


def test_materialization_has_rows_columns_and_lineage(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts", "columns: [{name: day, description: The day.}]")

    shown = metadata(run(project))
    assert shown["dagster/row_count"] == 2
    assert [(column.name, column.description) for column in shown["dagster/column_schema"].columns] == [
        ("day", "The day.")
    ]
    [origin] = shown["dagster/column_lineage"].deps_by_column["day"]
    assert (origin.asset_key, origin.column_name) == (AssetKey(["raw", "accounts"]), "id")


def test_materialization_has_a_statement_but_no_value(project: ModelProject) -> None:
    execute("create table raw.contacts as select 1 as id, 'Ann' as first_name, 'Bob' as job_title, 'Cy' as cf_new")
    project.mart("select id as day, first_name as name, job_title, cf_new, 'Dee' || id as made from raw.contacts")

    shown = metadata(run(project))
    assert shown["crm/rows"] == "```sql\nfrom marts.sales limit 10\n```"
    assert [name for name in ("Ann", "Bob", "Cy", "Dee1") if name in repr(shown)] == []


def test_columns_made_from_personal_ones_are_tagged(project: ModelProject) -> None:
    execute("create table raw.contacts as select 1 as id, 'Ann' as first_name, null as email, 'x' as cf_new")
    project.write("staging/stg_people.sql", "select id, upper(first_name) as name, email, cf_new from raw.contacts")
    project.mart("select p.id as day, p.name || '!' as name, p.email, p.cf_new, 1 as n from staging.stg_people as p")

    assert tagged(run(project)) == ["name", "email", "cf_new"]


def test_side_loaded_records_are_tagged_and_their_ids_are_not(project: ModelProject) -> None:
    execute(f"{SIDE_LOADED}; insert into raw.side_loaded values ('users', 1, '{{}}', 'load_1')")
    project.mart("select id as day, array_name, record as name from raw.side_loaded")

    assert tagged(run(project)) == ["name"]


def test_all_columns_are_tagged_without_lineage(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(models_module, "origins_of", fail)
    project.mart("select 1 as day")

    assert tagged(run(project)) == ["day"]


def test_materialization_has_rows_before_and_after_and_seconds(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts")
    assert "crm/rows_before" not in metadata(run(project))
    execute("insert into raw.accounts values (3)")

    shown = metadata(run(project))
    assert (shown["crm/rows_before"], shown["crm/rows_after"]) == (2, 3)
    assert shown["crm/build_seconds"] > 0


def test_full_refresh_in_the_launchpad_rebuilds_a_model(project: ModelProject) -> None:
    properties = "{config: {materialized: incremental, unique_key: day}, columns: [{name: day, description: The day.}]}"
    for number in (1, 2):
        project.mart(f"select {number} as day", properties)
        assert metadata(run(project))["crm/rows_after"] == number

    rebuilt = run(project, {"marts__sales": {"config": {"full_refresh": True}}})
    shown = metadata(rebuilt)
    assert (shown["crm/rows_before"], shown["crm/rows_after"]) == (2, 1)


def test_a_model_that_keeps_nothing_offers_no_full_refresh(project: ModelProject) -> None:
    project.mart("select 1 as day")

    with pytest.raises(DagsterInvalidConfigError, match="full_refresh"):
        run(project, {"marts__sales": {"config": {"full_refresh": True}}})


def test_a_wrong_reporting_time_zone_is_reported_by_name(
    project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_REPORTING_TIMEZONE", "Mars/Phobos")
    project.mart("select 1 as day")

    shown = failure(run(project))
    assert "CRM_REPORTING_TIMEZONE" in shown
    assert "is not a time zone: give an IANA name such as Europe/Berlin" in shown


def test_a_model_is_built_even_without_lineage(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(models_module, "origins_of", fail)
    project.mart("select 1 as day")

    result = run(project)
    assert result.success
    assert "dagster/column_lineage" not in metadata(result)


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


def test_a_failed_warn_test_stops_nothing(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts", WARN % "'< 2'")
    project.write("marts/above.sql", "select count(*) as days from marts.sales")

    result = run(project)
    check = checks(result)["day_expression_is_true"]
    assert result.success
    assert (check.passed, check.severity, check.blocking) == (False, AssetCheckSeverity.WARN, False)


def test_a_warn_test_that_cannot_be_run_stops_nothing(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts", WARN % "'> nope'")

    result = run(project)
    assert result.success
    assert "could not be run" in (checks(result)["day_expression_is_true"].description or "")


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


def test_sql_error_has_file_and_line_and_is_not_retried(project: ModelProject) -> None:
    project.mart("select\n    nope\nfrom raw.accounts")

    result = run(project)
    assert f"{project.folder}/models/marts/sales.sql:2: Binder Error" in failure(result)
    assert not any(event.is_step_up_for_retry for event in result.all_events)


def test_unreadable_view_shows_no_value_and_is_not_retried(project: ModelProject) -> None:
    execute("create table raw.contacts as select 'Confidential Person' as first_name")
    project.write("staging/stg_contacts.sql", "select 1 as id\nfrom raw.contacts\nwhere first_name::integer > 0")

    result = run(project)
    assert f"{project.folder}/models/staging/stg_contacts.sql" in failure(result)
    assert "Could not convert string '…' to INT32" in failure(result)
    assert not any(event.is_step_up_for_retry for event in result.all_events)
    assert "Confidential" not in "\n".join(map(repr, result.all_events))


def test_every_model_of_the_project_is_an_asset_with_checks() -> None:
    graph = defs.resolve_asset_graph()
    models = {AssetKey(model.address.split(".")) for model in load_models()}

    assert models <= graph.materializable_asset_keys
    assert models <= {check.asset_key for check in graph.asset_check_keys}
