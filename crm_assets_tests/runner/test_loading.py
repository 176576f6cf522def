"""How a project is read, and what is refused before anything runs, with instructions."""

import re

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets.runner.loading import load_models
from crm_assets_tests.runner.model_project import ModelProject

TESTED = "columns: [{name: day, description: The day., data_tests: [{%s}]}]"


def test_own_models_are_accepted() -> None:
    assert {model.schema for model in load_models()} == {"seeds", "staging", "snapshots", "marts"}


def test_refs_sources_and_addresses_are_dependencies(project: ModelProject) -> None:
    project.write("staging/stg_a.sql", "select 1 as x")
    model = project.mart(
        """
        with recent as (select * from {{ source('raw', 'accounts') }} as a join {{ ref('stg_a') }} on true)
        select * from recent where id in (select id from RAW.contacts)
        """
    )

    assert model.depends_on == {"raw.accounts", "raw.contacts", "staging.stg_a"}


def test_log_of_reads_is_no_dependency(project: ModelProject) -> None:
    model = project.mart("select * from {{ source('raw', 'sync_log') }} join raw.rejected_records using (resource)")

    assert model.depends_on == frozenset()


def test_models_come_after_those_that_they_read(project: ModelProject) -> None:
    project.write("marts/a.sql", "select * from {{ ref('b') }}")
    project.write("marts/b.sql", "select * from {{ ref('stg_c') }}")
    project.write("staging/stg_c.sql", "select 1 as x")

    assert list(project.models()) == ["staging.stg_c", "marts.b", "marts.a"]


@pytest.mark.parametrize(
    ("file", "text", "address", "materialized"),
    [
        pytest.param("staging/m.sql", "select 1 as x", "staging.m", "view", id="staging"),
        pytest.param("marts/m.sql", "select 1 as x", "marts.m", "table", id="marts"),
        pytest.param("marts/sales/europe/m.sql", "select 1 as x", "marts.m", "table", id="subfolder"),
        pytest.param("models/m.sql", "select 1 as x", "main.m", "view", id="no folder"),
        pytest.param(
            "staging/m.sql", "{{ config(materialized='table') }} select 1 as x", "staging.m", "table", id="own"
        ),
        pytest.param("marts/m.sql", "{{ config(schema='sales', alias='n') }} select 1", "sales.n", "table", id="names"),
    ],
)
def test_folder_says_how_a_model_is_built_unless_its_file_does(
    project: ModelProject, file: str, text: str, address: str, materialized: str
) -> None:
    project.write(file, text)

    [model] = project.models().values()
    assert (model.address, model.materialized) == (address, materialized)


@pytest.mark.parametrize(
    "text", ["{{ config (materialized='view') }} select 1 as x", "{{ viewed() }} select 1 as x"], ids=["space", "macro"]
)
def test_config_is_found_however_it_is_called(project: ModelProject, text: str) -> None:
    project.write("macros/viewed.sql", "{% macro viewed() %}{{ config(materialized='view') }}{% endmacro %}")

    assert project.mart(text).materialized == "view"


def test_configuration_can_be_read_in_the_file(project: ModelProject) -> None:
    sql = "{{ config(alias='sales') }} select {{ config.get('meta').n }} as n, '{{ model.config.materialized }}' as m"
    model = project.mart(sql, "config: {meta: {n: 5}}")

    assert model.sql.strip() == "select 5 as n, 'table' as m"
    assert model.config["meta"] == {"n": 5}


def test_ref_of_later_builds_alone_is_a_dependency(project: ModelProject) -> None:
    project.write("staging/stg_a.sql", "select 1 as x")
    later = "{% if is_incremental() %}union select x from {{ ref('stg_a') }} join {{ this }} using (x){% endif %}"
    model = project.mart(f"{{{{ config(materialized='incremental') }}}} select 1 as x {later}")

    assert model.depends_on == {"staging.stg_a"}


def test_settings_of_all_projects_count(project: ModelProject) -> None:
    project.write("dbt_project.yml", "name: crm\nmodels: {+schema: marts, +materialized: table, +alias: sales}")
    project.write("models/n.sql", "select 1 as x")

    assert [(model.materialized, model.name) for model in load_models(project.folder)] == [("table", "sales")]


def test_macro_names_tables(project: ModelProject) -> None:
    macro = "{% macro generate_alias_name(custom_alias_name=none, node=none) %}v_{{ node.name }}{% endmacro %}"
    project.write("macros/names.sql", macro)
    project.write("marts/a.sql", "select 1 as x")

    assert list(project.models()) == ["marts.v_a"]


def test_letters_case_makes_no_other_table(project: ModelProject) -> None:
    project.write("marts/Regions.sql", "{{ config(schema='Marts') }} select 1 as x")
    model = project.mart("select * from {{ ref('Regions') }}")

    assert model.depends_on == {"marts.regions"}


def test_place_of_a_source_may_be_a_template(project: ModelProject) -> None:
    project.write(
        "models/mine.yml",
        "sources: [{name: mine, schema: \"{{ var('from', 'raw') }}\", tables: [{name: accounts}]}]",
    )

    assert project.mart("select * from {{ source('mine', 'accounts') }}").depends_on == {"raw.accounts"}


@pytest.mark.parametrize("folder", ["tests/nightly/generic", "tests/nightly"])
def test_test_is_found_in_any_folder(project: ModelProject, folder: str) -> None:
    project.write(f"{folder}/no_rows.sql", "select * from {{ ref('sales') }}")

    assert [test.name for test in project.mart("select 1 as day").data_tests] == ["no_rows"]


def test_kind_of_test_may_be_in_a_subfolder(project: ModelProject) -> None:
    kind = "{% test odd(model, column_name) %}select * from {{ model }} where {{ column_name }} % 2 = 1{% endtest %}"
    project.write("tests/generic/numbers/odd.sql", kind)

    assert [test.kind for test in project.mart("select 1 as day", TESTED % "odd").data_tests] == ["odd"]


def test_disabled_model_may_use_what_is_not_supported(project: ModelProject) -> None:
    project.write("marts/a.sql", "{{ config(enabled=false) }} select {{ dbt_utils.star() }}")

    assert project.models() == {}


def test_description_may_look_like_a_call(project: ModelProject) -> None:
    assert project.mart("select 1 as day", "description: source (web or phone)").description == "source (web or phone)"


def test_two_models_of_one_table_are_refused(project: ModelProject) -> None:
    project.write("marts/a.sql", "{{ config(alias='sales') }} select 1 as day")

    with pytest.raises(ModelsRefused, match=r"sales\.sql:1: marts\.sales is the table of .*a\.sql: change a name"):
        project.mart("select 1 as day")


def test_snapshot_is_called_like_its_file(project: ModelProject) -> None:
    project.write("snapshots/a.sql", "\n{% snapshot a %}\n{% endsnapshot %}\n{% snapshot b %}\n{% endsnapshot %}")

    with pytest.raises(ModelsRefused, match=r"a\.sql:3: move snapshot b to a file b\.sql"):
        project.models()


def test_intermediate_models_become_part_of_their_readers(project: ModelProject) -> None:
    project.write("intermediate/int_days.sql", "-- days\nselect id as day from {{ source('present', 'accounts') }}")
    model = project.mart("select day from {{ ref('int_days') }} as days")

    assert list(project.models()) == ["marts.sales"]
    assert model.depends_on == {"raw.accounts"}


def test_disabled_model_is_not_there(project: ModelProject) -> None:
    project.write("marts/a.sql", "{{ config(enabled=false) }} select 1 as x")

    assert project.models() == {}


def test_incremental_key_is_tested_without_being_asked_for(project: ModelProject) -> None:
    model = project.mart(
        "select 1 as day",
        """
        config: {materialized: incremental, unique_key: day}
        columns: [{name: day, description: The day.}]
        """,
    )

    assert [(test.name, test.blocks) for test in model.data_tests] == [("day_unique", True), ("day_not_null", True)]


WRONG_SQL = {
    "table": ("select *\nfrom raw.acounts", "sales.sql:2: the model reads raw.acounts, which is neither"),
    "table without schema": ("select * from accounts", "reads accounts, which is neither"),
    "no such model": ("select 1\nfrom {{ ref('x') }}", "sales.sql:2: there is no model x: correct"),
    "source": ("select 1\nfrom {{ source('raw', 'x') }}", "sales.sql:2: there is no source raw.x"),
    "two statements": ("select 1; select 2", "has 2 statements"),
    "no statement": ("-- to do", "has 0 statements"),
    "no select": ("insert into raw.accounts select 1", "statement is INSERT, not SELECT"),
    "no SQL": ("select 1,\nfrom (\nwhere", "sales.sql:3: this is not valid SQL: Parser Error"),
    "no template": ("select 1\n{% if %}", "sales.sql:2: Expected an expression"),
    "itself": ("select * from {{ ref('sales') }}", "depends on itself: marts.sales reads marts.sales"),
}


@pytest.mark.parametrize(("sql", "message"), WRONG_SQL.values(), ids=WRONG_SQL)
def test_sql_is_refused(project: ModelProject, sql: str, message: str) -> None:
    with pytest.raises(ModelsRefused, match=f"sales.sql.*{re.escape(message.removeprefix('sales.sql'))}"):
        project.mart(sql)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "adapter.get_relation()",
            "'adapter' is undefined: adapter calls, queries while rendering and packages are not",
        ),
        ("run_query('select 1')", "'run_query' is undefined: adapter calls"),
        ("dbt_utils.star(ref('sales'))", "'dbt_utils' is undefined: adapter calls"),
        ("env_var('API_KEY')", "env_var cannot read API_KEY: use a name that begins with DBT_"),
        ("env_var('DBT_ENV_SECRET_KEY')", "env_var cannot read DBT_ENV_SECRET_KEY"),
        ("ref('other', 'sales')", "there is no model other.sales: correct the name"),
        ("config.require('nope')", "there is no configuration nope: correct the name"),
        ("var('nope')", "there is no variable nope: correct the name, or add it"),
        ("ref('sales').__class__.__mro__", "is unsafe"),
        ("exceptions.raise_compiler_error('Not today')", "Not today"),
    ],
)
def test_templates_cannot_do_everything(project: ModelProject, expression: str, message: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"sales\.sql:2: .*{re.escape(message)}"):
        project.mart(f"select\n    {{{{ {expression} }}}} as day")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("packages.yml", "packages: []", r"packages\.yml:1: packages and Python models are not supported"),
        (
            "marts/a.py",
            "def model(dbt, session): ...",
            r"a\.py:1: packages and Python models are not supported: write SQL",
        ),
        (
            "dbt_project.yml",
            "name: crm\non-run-end: []",
            r"dbt_project\.yml:2: .* 'on-run-end' cannot be used: remove it",
        ),
        ("staging/sales.sql", "select 1 as day", r"the name sales is that of .*: rename one of them"),
    ],
)
def test_what_only_dbt_has_is_refused(project: ModelProject, file: str, text: str, message: str) -> None:
    project.write(file, text)

    with pytest.raises(ModelsRefused, match=message):
        project.mart("select 1 as day")


def test_cycle_is_reported_in_reading_order(project: ModelProject) -> None:
    for name, read in zip("abc", "bca", strict=True):
        project.write(f"marts/{name}.sql", f"select * from {{{{ ref('{read}') }}}}")

    with pytest.raises(ModelsRefused) as refused:
        project.models()

    message = str(refused.value).partition("depends on itself: ")[2].partition(". ")[0]
    assert message in "marts.a reads marts.b reads marts.c reads marts.a reads marts.b reads marts.c"
    assert message.count("marts.") == 4


WRONG_PROPERTIES = {
    "materialization": ("config: {materialized: tabel}", "materialized is 'tabel': use one of ephemeral"),
    "config": ("config: {materialised: view}", "'materialised' cannot be used: did you mean materialized?"),
    "config without keys": ("config: incremental", "config is 'incremental': write keys and values"),
    "misspelt": ("data_test: [unique]", "'data_test' cannot be used: did you mean data_tests?"),
    "dbt's own key": ("constraints: [x]", "'constraints' cannot be used: write data_tests, or"),
    "hook": ("config: {post-hook: x}", "'post-hook' cannot be used: remove it, or build the"),
    "owner": ("meta: {owner: nobody}", "the owner is 'nobody': write team:NAME"),
    "unnamed column": ("columns: [{description: The day.}]", "an entry of sales: columns has no name"),
    "no list": ("columns: {day: x}", "columns is {'day': 'x'}: write a list"),
    "ephemeral": (
        "{config: {materialized: ephemeral}, columns: [{name: day, data_tests: [unique]}]}",
        "tests of ephemeral models are not run",
    ),
    "kind of test": ("data_tests: [uniqe]", "has the unknown kind 'uniqe': use one of"),
    "two kinds in one": ("data_tests: [{unique: {}, not_null: {}}]", "is neither KIND nor"),
    "column's test on the model": ("data_tests: [unique]", "move it to data_tests of a column"),
    "beside arguments": (TESTED % "accepted_values: {values: [1]}", "'values' cannot be used"),
    "beside": (TESTED % "unique: {severity: warn}", "'severity' cannot be used: move it below config"),
    "of a test": (TESTED % "unique: {config: {were: a}}", "'were' cannot be used: did you mean where?"),
    "argument": (TESTED % "unique: {arguments: {x: 1}}", "unique has no argument x"),
    "severity": (TESTED % "unique: {config: {severity: fatal}}", "severity is 'fatal': use one"),
    "ref": (TESTED % "relationships: {arguments: {to: ref('x'), field: y}}", "there is no model x"),
    "no argument": ("data_tests: [{expression_is_true: {}}]", "needs expression: add it below"),
    "twice": ("columns: [{name: day, description: D., data_tests: [unique, unique]}]", "day_unique is there twice"),
}


@pytest.mark.parametrize(("properties", "message"), WRONG_PROPERTIES.values(), ids=WRONG_PROPERTIES)
def test_properties_are_refused(project: ModelProject, properties: str, message: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"marts.yml:\d+: .*{re.escape(message)}"):
        project.mart("select 1 as day", properties)


WRONG_YAML = {
    "no SQL file": ("models: [{name: other}]", "other has no other.sql: add the file"),
    "listed twice": ("models: [{name: a}, {name: a}]", "a is already listed in marts.yml"),
    "no name": ("models: [{description: A.}]", "an entry of the file: models has no name"),
    "no list": ("models: {a: 1}", "models is {'a': 1}: write a list"),
    "no YAML": ("models: [", "this is not valid YAML"),
    "key twice": ("models: [{name: a, name: b}]", "this is not valid YAML: name is there twice"),
    "source": ("sources: [{name: s, tables: [{name: t, data_tests: [unique]}]}]", "tests of sources are not run"),
    "dbt's unit tests": ("unit_tests: []", "'unit_tests' cannot be used: test the model with pytest"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_YAML.values(), ids=WRONG_YAML)
def test_yaml_file_is_refused(project: ModelProject, text: str, message: str) -> None:
    project.write("marts/a.sql", "select 1 as x")
    project.write("marts/marts.yml", text)

    with pytest.raises(ModelsRefused, match=rf"marts.yml:\d+: .*{re.escape(message)}"):
        project.models()


@pytest.mark.parametrize("file", ["marts/a.sql", "seeds/targets.csv", "macros/a.sql", "models/notes.md"])
def test_file_in_another_encoding_is_refused(project: ModelProject, file: str) -> None:
    path = project.write(file, "name\n")
    path.write_bytes("name\nMüller\n".encode("cp1252"))

    with pytest.raises(ModelsRefused, match=re.escape(f"{path}:2: not UTF-8. Save the file in this encoding")):
        project.models()


def test_refusal_names_the_line(project: ModelProject) -> None:
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


def test_all_errors_are_reported_together(project: ModelProject) -> None:
    project.write("marts/a.sql", "select 1; select 2")
    project.write("staging/b.sql", "drop table raw.accounts")

    with pytest.raises(ModelsRefused, match=r"(?s)a\.sql.*b\.sql"):
        project.models()


def test_blocking_comparison_with_a_reader_is_a_cycle(project: ModelProject) -> None:
    project.write("marts/b.sql", "select day from {{ ref('sales') }}")

    with pytest.raises(ModelsRefused, match="or give the test of relationships among them severity warn"):
        project.mart("select 1 as day", TESTED % "relationships: {arguments: {to: ref('b'), field: day}}")
