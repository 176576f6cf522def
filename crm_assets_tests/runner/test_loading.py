"""How a project is read: its models, where they are, and what they depend on."""

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets.runner.loading import load_models
from crm_assets_tests.runner.model_project import ModelProject

TESTED = "columns: [{name: day, description: The day., data_tests: [{%s}]}]"


def test_file_that_an_editor_has_locked_is_read(project: ModelProject) -> None:
    project.write("marts/sales.sql", "select 1 as day")
    project.path("marts/.#sales.sql").symlink_to("ann@machine.4711:1764547200")
    project.path("marts/old.sql").mkdir()

    assert project.models().keys() == {"marts.sales"}


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
    sql = "{{ config(alias='sales') }} select {{ config.get('meta').n }} as n, '{{ config.get('materialized') }}' as m"
    model = project.mart(sql, "config: {meta: {n: 5}}")

    assert model.sql.strip() == "select 5 as n, 'table' as m"
    assert model.config["meta"] == {"n": 5}


def test_configuration_of_all_places_can_be_read(project: ModelProject) -> None:
    sql = (
        "{{ config(tags='b', meta={'n': 2}) }} select '{{ config.get('tags') | join }}{{ config.get('meta') | join }}'"
    )
    model = project.mart(sql, "config: {tags: a, meta: {m: 1}}")

    assert model.sql.strip() == "select 'abmn'"


IGNORED = {
    "meta": "meta: {owner: '@alice', model_maturity: in dev}",
    "date of the end": "deprecation_date: 2026-01-01 00:00:00.00+00:00",
    "semantic layer": "{time_spine: {standard_granularity_column: day}, columns: [{name: day, granularity: day}]}",
    "semantic model": "{semantic_model: {enabled: true}, columns: [{name: day, entity: {name: e}}]}",
    "analysis": "config: {static_analysis: unsafe}",
}


@pytest.mark.parametrize("properties", IGNORED.values(), ids=IGNORED)
def test_what_changes_no_table_is_ignored(project: ModelProject, properties: str) -> None:
    assert project.mart("select 1 as day", properties).sql == "select 1 as day"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (
            "dbt_project.yml",
            "{name: crm, models: {+schema: marts}, dbt-cloud: {project-id: 1}, sources: {+enabled: true}}",
        ),
        ("models/s.yml", "sources: [{name: s, config: {enabled: true}, tables: [{name: t, config: {enabled: true}}]}]"),
        (
            "dbt_project.yml",
            "{name: crm, models: {+schema: marts}, model-paths: [models], test-paths: [tests], macro-paths: [macros]}",
        ),
    ],
    ids=["settings", "sources", "folders"],
)
def test_settings_that_change_no_table_are_ignored(project: ModelProject, file: str, text: str) -> None:
    project.write(file, text)

    assert project.mart("select 1 as day").sql == "select 1 as day"


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


@pytest.mark.parametrize("word", ["order", "Verkauf 2026"])
def test_schema_and_table_may_have_any_name(project: ModelProject, word: str) -> None:
    project.write("marts/a.sql", f"{{{{ config(schema='{word}', alias='{word}') }}}} select 1 as x")

    assert project.mart("select x from {{ ref('a') }}").depends_on == {f"{word}.{word}".lower()}


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


def test_snapshot_is_called_like_its_file(project: ModelProject) -> None:
    project.write("snapshots/a.sql", "\n{% snapshot a %}\n{% endsnapshot %}\n{% snapshot b %}\n{% endsnapshot %}")

    with pytest.raises(ModelsRefused, match=r"a\.sql:1: move snapshot b to a file b\.sql"):
        project.models()


def test_intermediate_models_become_part_of_their_readers(project: ModelProject) -> None:
    project.write("intermediate/int_days.sql", "-- days\nselect id as day from {{ source('present', 'accounts') }}")
    model = project.mart("select day from {{ ref('int_days') }} as days")

    assert list(project.models()) == ["marts.sales"]
    assert model.depends_on == {"raw.accounts"}


@pytest.mark.parametrize("name", [".m.sql", "._m.sql", "~m.sql", "#m.sql"])
def test_file_of_an_editor_is_no_model(project: ModelProject, name: str) -> None:
    project.write("marts/m.sql", "select 1 as x")
    project.write(f"marts/{name}", "").write_bytes(b"\0\xff")

    assert list(project.models()) == ["marts.m"]


def test_suffix_may_be_in_capitals(project: ModelProject) -> None:
    project.write("marts/m.SQL", "select * from {{ ref('numbers') }}")
    project.write("marts/m.YML", "models: [{name: m, description: A number.}]")
    project.write("seeds/numbers.CSV", "n\n1\n")

    assert project.models()["marts.m"].description == "A number."


def test_incremental_key_is_tested_without_being_asked_for(project: ModelProject) -> None:
    model = project.mart(
        "select 1 as day",
        """
        config: {materialized: incremental, unique_key: day}
        columns: [{name: day, description: The day.}]
        """,
    )

    assert [(test.name, test.blocks) for test in model.data_tests] == [("day_unique", True), ("day_not_null", True)]
