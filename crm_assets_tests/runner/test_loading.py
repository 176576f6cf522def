"""How model files are read, and what is refused before anything runs, with instructions."""

import re

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets.runner.folders import FOLDERS
from crm_assets.runner.loading import load_models
from crm_assets_tests.runner.model_project import ModelProject

TESTED = "columns: [{name: day, description: The day., data_tests: [{%s}]}]"


def test_the_projects_own_models_are_accepted() -> None:
    assert {model.folder for model in load_models()} == set(FOLDERS)


def test_every_table_with_a_schema_is_a_dependency_and_no_cte_is(project: ModelProject) -> None:
    project.write("staging/stg_a.sql", "select 1 as x")
    model = project.mart(
        """
        with recent as (select * from raw.accounts as a join STAGING.stg_a on true)
        select * from recent where id in (select id from raw.contacts)
        """
    )

    assert model.depends_on == {"raw.accounts", "raw.contacts", "staging.stg_a"}


def test_the_raw_assets_own_records_may_be_read_and_are_no_dependency(project: ModelProject) -> None:
    model = project.mart("select * from raw.sync_log join raw.rejected_records using (resource)")

    assert model.depends_on == frozenset()


@pytest.mark.parametrize(
    ("file", "properties", "materialized"),
    [
        pytest.param("staging/m.sql", "", "view", id="staging by default"),
        pytest.param("marts/m.sql", "", "table", id="marts by default"),
        pytest.param("staging/m.sql", "config: {materialized: table}", "table", id="as its YAML says"),
    ],
)
def test_the_folder_says_how_a_model_is_built_unless_its_yaml_does(
    project: ModelProject, file: str, properties: str, materialized: str
) -> None:
    project.write(file, "select 1 as x")
    project.write(file.replace("m.sql", "m.yml"), f"models:\n  - name: m\n    {properties}")

    [model] = project.models().values()
    assert model.materialized == materialized


def test_an_incremental_models_key_is_tested_without_being_asked_for(project: ModelProject) -> None:
    model = project.mart(
        "select 1 as day",
        """
        config: {materialized: incremental, unique_key: day}
        columns: [{name: day, description: The day.}]
        """,
    )

    assert [(test.name, test.blocks) for test in model.data_tests] == [("day_unique", True), ("day_not_null", True)]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("select *\nfrom raw.acounts", "reads raw.acounts, which is neither", id="no such table"),
        pytest.param("select * from accounts", "reads accounts, which is neither", id="table without schema"),
        pytest.param("select 1; select 2", "has 2 statements", id="two statements"),
        pytest.param("-- to do", "has 0 statements", id="no statement"),
        pytest.param("insert into raw.accounts select 1", "statement is INSERT, not SELECT", id="no select"),
        pytest.param("select 1,\nfrom (\nwhere", "sales.sql:3: this is not valid DuckDB SQL", id="no SQL"),
        pytest.param(
            "select *\nfrom {{ ref('x') }}", "sales.sql:2: dbt's ref cannot be used here: write", id="dbt's ref"
        ),
        pytest.param("{% macro x() %}", "dbt's macro cannot be used here: write the SQL itself", id="dbt's macro"),
        pytest.param(
            "select * from marts.sales", "depends on itself: marts.sales reads marts.sales", id="reads itself"
        ),
    ],
)
def test_sql_is_refused(project: ModelProject, sql: str, told: str) -> None:
    with pytest.raises(ModelsRefused, match=f"sales.sql.*{re.escape(told.removeprefix('sales.sql'))}"):
        project.mart(sql)


def test_a_cycle_is_reported_in_reading_order(project: ModelProject) -> None:
    project.write("marts/a.sql", "select * from marts.b")
    project.write("marts/b.sql", "select * from marts.c")
    project.write("marts/c.sql", "select * from marts.a")

    with pytest.raises(ModelsRefused) as refused:
        project.models()

    told = str(refused.value).partition("depends on itself: ")[2].partition(". ")[0]
    assert told in "marts.a reads marts.b reads marts.c reads marts.a reads marts.b reads marts.c"
    assert told.count("marts.") == 4


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        pytest.param(
            "config: {materialized: tabel}", "materialized is 'tabel': use one of table, view", id="materialization"
        ),
        pytest.param("config: {materialized: incremental}", "incremental needs a unique_key", id="no unique_key"),
        pytest.param(
            "config: {materialised: view}", "the key 'materialised' cannot be used: use one of mat", id="key of config"
        ),
        pytest.param("config: incremental", "config is 'incremental'", id="config without keys"),
        pytest.param("tests: [unique]", "the key 'tests' cannot be used: rename it to data_tests", id="dbt's old key"),
        pytest.param(
            "constraints: [x]", "'constraints' cannot be used: remove it and write data_tests", id="dbt's own key"
        ),
        pytest.param("config: {contract: {}}", "'contract' cannot be used: remove it and write", id="dbt's config"),
        pytest.param(
            "description: '{{ doc(''sales'') }}'", "dbt's doc cannot be used here: write the description", id="doc"
        ),
        pytest.param("config: {materialized: \"{{ var('x') }}\"}", "dbt's var cannot be used here", id="template"),
        pytest.param("meta: {owner: nobody}", "the owner is 'nobody': write team:NAME", id="owner"),
        pytest.param("columns: [{name: day}]", "column day has no description", id="undescribed column"),
        pytest.param("columns: [{description: The day.}]", "a column has no name", id="unnamed column"),
        pytest.param(
            "columns: [{name: day, data_tests: [unique]}]", "column day has no description", id="tested, undescribed"
        ),
        pytest.param(
            "columns: [{name: day, description: A.}, {name: day, description: B.}]", "day is listed twice", id="twice"
        ),
        pytest.param(
            "data_tests: [{dbt_utils.unique_combination_of_columns: {arguments: {combination_of_columns: [a]}}}]",
            "column a is not documented",
            id="unknown column",
        ),
        pytest.param("data_tests: [uniqe]", "has the unknown kind 'uniqe': use one of unique", id="kind of test"),
        pytest.param("data_tests: [{unique: {}, not_null: {}}]", "is neither KIND nor", id="two kinds in one"),
        pytest.param("data_tests: [unique]", "move it to data_tests of a column", id="column's test on the model"),
        pytest.param(TESTED % "dbt_utils.accepted_range: {}", "needs a limit: add max_value or min", id="no limit"),
        pytest.param(
            TESTED % "accepted_values: {arguments: {values: a}}", "values is 'a', but should be", id="no list"
        ),
        pytest.param(TESTED % "accepted_values: {values: [1]}", "values is next to arguments: move", id="beside"),
        pytest.param(TESTED % "unique: {severity: warn}", "severity is next to config: move", id="severity beside"),
        pytest.param(TESTED % "unique: {config: {where: a}}", "config where is not supported", id="config of a test"),
        pytest.param(TESTED % "unique: {arguments: {x: 1}}", "has no argument 'x': remove it", id="argument"),
        pytest.param(TESTED % "unique: {config: {severity: fatal}}", "'fatal', but should be error", id="severity"),
        pytest.param(TESTED % "unique: {name: at least 1}", "made of letters, digits", id="name with spaces"),
        pytest.param(
            TESTED % "relationships: {arguments: {to: ref('x'), field: y}}", "should be the address", id="dbt's ref"
        ),
        pytest.param(
            "data_tests: [{dbt_utils.expression_is_true: {}}]", "needs expression: add an SQL", id="no argument"
        ),
        pytest.param(
            "columns: [{name: day, description: D., data_tests: [unique, unique]}]",
            "two tests are named day_unique",
            id="same name",
        ),
        pytest.param(
            "columns: [{name: day, description: D., data_tests: "
            "[{relationships: {arguments: {to: marts.nope, field: x}}}]}]",
            "marts.nope is neither a raw table nor a model",
            id="related to nothing",
        ),
    ],
)
def test_properties_are_refused(project: ModelProject, properties: str, told: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"marts.yml:\d+: sales: .*{re.escape(told)}"):
        project.mart("select 1 as day", properties)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("models: [{name: other}]", "other has no other.sql next to it", id="no SQL file"),
        pytest.param("models: [{name: a}, {name: a}]", "a is already listed in marts.yml", id="listed twice"),
        pytest.param("models: [{description: A.}]", "entry 1 under models has no name", id="no name"),
        pytest.param("models: {a: 1}", "write a list of models", id="no list"),
        pytest.param("", "write a list of models", id="empty"),
        pytest.param("models: [", "this is not valid YAML", id="no YAML"),
        pytest.param("models: [{name: a, name: b}]", "this is not valid YAML: name is there twice", id="key twice"),
        pytest.param("sources: []", "sources cannot be used here: remove it: raw tables", id="dbt's sources"),
        pytest.param("unit_tests: []", "unit_tests cannot be used here: remove it and test", id="dbt's unit tests"),
        pytest.param("snapshots: []", "snapshots cannot be used here: in this folder the key is models", id="folder"),
    ],
)
def test_a_yaml_file_is_refused(project: ModelProject, text: str, told: str) -> None:
    project.write("marts/a.sql", "select 1 as x")
    project.write("marts/marts.yml", text)

    with pytest.raises(ModelsRefused, match=rf"marts.yml:\d+: {told}"):
        project.models()


@pytest.mark.parametrize("file", ["intermediate/a.sql", "marts/sales/a.sql", "a.sql", "schema.yml"])
def test_a_model_in_no_known_folder_is_refused(project: ModelProject, file: str) -> None:
    project.write(file, "select 1 as x")

    with pytest.raises(
        ModelsRefused, match="models and their YAML belong directly in one of the folders seeds, staging, snapshots"
    ):
        project.models()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        pytest.param("marts/a.sql", "select * from {{ ref('x') }}", id="template"),
        pytest.param("marts/marts.yml", "exposures: []", id="key of a file"),
        pytest.param("marts/marts.yml", "models: [{name: b, constraints: []}]", id="key of a model"),
        pytest.param("marts/marts.yml", "models: [{name: b, data_tests: [dbt_utils.equality]}]", id="kind of test"),
        pytest.param("marts/a.py", "def model(dbt, session): ...", id="Python"),
    ],
)
def test_unsupported_dbt_features_are_refused_with_the_export_command(
    project: ModelProject, file: str, text: str
) -> None:
    project.write("marts/b.sql", "select 1 as x")
    project.write(file, text)

    with pytest.raises(ModelsRefused, match=rf"{file}:1: .*: .*, or export the models with .*dbt-project FOLDER"):
        project.models()


def test_a_refusal_names_the_line(project: ModelProject) -> None:
    project.write("marts/sales.sql", "select\n    id\nfrom raw.acounts")
    with pytest.raises(ModelsRefused, match=r"sales\.sql:3: the model reads raw\.acounts"):
        project.models()

    project.write("marts/sales.sql", "select 1 as day")
    project.write(
        "marts/marts.yml",
        """
        models:
          - name: sales
            columns:
              - name: day
                description: The day.
                data_tests:
                  - unique
                  - not_nul
        """,
    )
    with pytest.raises(
        ModelsRefused, match=r"marts\.yml:8: sales: a test of column day has the unknown kind 'not_nul'"
    ):
        project.models()


def test_all_errors_in_models_are_reported_together(project: ModelProject) -> None:
    project.write("marts/a.sql", "select 1; select 2")
    project.write("staging/b.sql", "drop table raw.accounts")

    with pytest.raises(ModelsRefused, match=r"(?s)b\.sql.*a\.sql"):
        project.models()


def test_a_blocking_comparison_with_a_table_built_from_the_model_is_a_cycle(project: ModelProject) -> None:
    project.write("marts/a.sql", "select 1 as x")
    project.write("marts/b.sql", "select x from marts.a")
    project.write(
        "marts/marts.yml",
        """
        models:
          - name: a
            columns:
              - name: x
                description: A number.
                data_tests: [{relationships: {arguments: {to: marts.b, field: x}}}]
        """,
    )

    with pytest.raises(ModelsRefused, match="or give the test of relationships among them severity warn"):
        project.models()
