"""A model as a Dagster asset: its specification, and the results of its materialization."""

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, AssetsDefinition, DagsterInvalidConfigError, ExecuteInProcessResult

from crm_assets.assets import models as models_module
from crm_assets.assets.attributes import OWNERS, rows_statement
from crm_assets.assets.models import model_asset
from crm_assets.loading.shared_tables import SQL
from crm_assets.settings import Crm
from crm_assets_tests.assets.model_runs import SALES, execute, failure, run
from crm_assets_tests.runner.model_project import ModelProject

pytestmark = pytest.mark.usefixtures("accounts")

UNIQUE = "columns: [{name: day, description: The day., data_tests: [unique]}]"


def metadata(result: ExecuteInProcessResult) -> dict[str, Any]:
    """What the materialization of `marts.sales` carries."""
    [event] = result.asset_materializations_for_node("marts__sales")
    return {name: value.value for name, value in event.metadata.items()}


def tagged(result: ExecuteInProcessResult) -> list[str]:
    """The columns of `marts.sales` that are tagged as personal."""
    return [c.name for c in metadata(result)["dagster/column_schema"].columns if "personal_data" in c.tags]


def asset(project: ModelProject, sql: str, properties: str = "{}") -> AssetsDefinition:
    return model_asset(Crm(), project.mart(sql, properties))


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


@pytest.mark.parametrize("owner", ["@alice", "Ann <ann@example.com>", ["ann@example.com", "@bob"]])
def test_an_owner_that_dagster_cannot_take_is_metadata(project: ModelProject, owner: object) -> None:
    spec = asset(project, "select 1 as day", f"meta: {{owner: {json.dumps(owner)}}}").specs_by_key[SALES]

    assert (list(spec.owners), spec.metadata["owner"]) == (list(OWNERS), str(owner))


def test_model_has_its_tags_and_schema_of_dbt(project: ModelProject) -> None:
    tags = ["daily", "by hand", 2026, "", "x" * 99]
    project.write("marts/odd.sql", f"{{{{ config(tags={tags}, schema='my-marts') }}}} select 1 as day")
    [model] = project.models().values()
    [spec] = model_asset(Crm(), model).specs

    assert {"daily", "by_hand", "2026", "_", "x" * 63} <= spec.tags.keys()
    assert spec.group_name == "my_marts"


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


def test_statement_of_a_table_whose_name_has_a_blank_is_quoted() -> None:
    assert rows_statement("marts.two words").value == '```sql\nfrom marts."two words" limit 10\n```'


@pytest.mark.slow
def test_columns_made_from_personal_ones_are_tagged(project: ModelProject) -> None:
    execute("create table raw.contacts as select 1 as id, 'Ann' as first_name, null as email, 'x' as cf_new")
    project.write("staging/stg_people.sql", "select id, upper(first_name) as name, email, cf_new from raw.contacts")
    project.mart("select p.id as day, p.name || '!' as name, p.email, p.cf_new, 1 as n from staging.stg_people as p")

    assert tagged(run(project)) == ["name", "email", "cf_new"]


@pytest.mark.slow
def test_side_loaded_records_are_tagged_and_their_ids_are_not(project: ModelProject) -> None:
    execute(f"{SQL['create_side_loaded']} insert into raw.side_loaded values ('users', 1, '{{}}', 'load_1')")
    project.mart("select id as day, array_name, record as name from raw.side_loaded")

    assert tagged(run(project)) == ["name"]


def test_columns_without_lineage_are_all_tagged(project: ModelProject, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RecursionError

    monkeypatch.setattr(models_module, "origins_of", fail)
    project.mart("select 1 as day")

    result = run(project)
    assert tagged(result) == ["day"]
    assert "dagster/column_lineage" not in metadata(result)


@pytest.mark.slow
def test_materialization_has_rows_before_and_after_and_seconds(project: ModelProject) -> None:
    project.mart("select id as day from raw.accounts")
    assert "crm/rows_before" not in metadata(run(project))
    execute("insert into raw.accounts values (3)")

    shown = metadata(run(project))
    assert (shown["crm/rows_before"], shown["crm/rows_after"]) == (2, 3)
    assert shown["crm/build_seconds"] > 0


@pytest.mark.slow
def test_full_refresh_in_the_launchpad_rebuilds_a_model(project: ModelProject) -> None:
    properties = "{config: {materialized: incremental, unique_key: day}, columns: [{name: day, description: The day.}]}"
    for number in (1, 2):
        project.mart(f"select {number} as day", properties)
        assert metadata(run(project))["crm/rows_after"] == number

    rebuilt = run(project, {"marts__sales": {"config": {"full_refresh": True, "only_if_changed": True}}})
    shown = metadata(rebuilt)
    assert (shown["crm/rows_before"], shown["crm/rows_after"]) == (2, 1)


def test_a_model_that_keeps_nothing_offers_no_full_refresh(project: ModelProject) -> None:
    project.mart("select 1 as day")

    with pytest.raises(DagsterInvalidConfigError, match="full_refresh"):
        run(project, {"marts__sales": {"config": {"full_refresh": True}}})


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
