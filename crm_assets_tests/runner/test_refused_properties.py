"""What is refused of properties files and of `dbt_project.yml`, with file and line."""

import re

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets_tests.runner.model_project import ModelProject

TESTED = "columns: [{name: day, description: The day., data_tests: [{%s}]}]"

WRONG_PROPERTIES = {
    "materialization": ("config: {materialized: tabel}", "materialized is 'tabel': use one of ephemeral"),
    "no model's": ("config: {materialized: seed}", "'seed': use one of ephemeral, incremental, table, view"),
    "capitals": ("config: {materialized: VIEW}", "materialized is 'VIEW': use one of ephemeral"),
    "config": ("config: {materialised: view}", "'materialised' cannot be used: did you mean materialized?"),
    "dbt's own config": ("config: {merge_update_columns: [a]}", "'merge_update_columns' cannot be used: remove it"),
    "config without keys": ("config: incremental", "config is 'incremental': write keys and values"),
    "beside config": ("materialized: view", "'materialized' cannot be used: move it below config"),
    "misspelt": ("data_test: [unique]", "'data_test' cannot be used: did you mean data_tests?"),
    "dbt's own key": ("constraints: [x]", "'constraints' cannot be used: write data_tests, or"),
    "hook": ("config: {post-hook: x}", "'post-hook' cannot be used: remove it, or build the"),
    "schema": ("config: {schema: my.marts}", "the schema is 'my.marts': write one without dots"),
    "schema of raw tables": ("config: {schema: RAW}", "the schema is 'RAW': write one without dots that is none of"),
    "schema of failing rows": ("config: {schema: dbt_test__audit}", "is 'dbt_test__audit': write one without dots"),
    "delimiter": ("config: {delimiter: ';'}", "'delimiter' cannot be used: separate the values of the file with"),
    "unnamed column": ("columns: [{description: The day.}]", "an entry of sales: columns has no name"),
    "no list": ("columns: {day: x}", "columns is {'day': 'x'}: write a list"),
    "ephemeral": (
        "{config: {materialized: ephemeral}, columns: [{name: day, data_tests: [unique]}]}",
        "ephemeral models are not",
    ),
    "kind of test": ("data_tests: [uniqe]", "has the unknown kind 'uniqe': use one of"),
    "two kinds in one": ("data_tests: [{unique: {}, not_null: {}}]", "is neither KIND nor"),
    "column's test on the model": ("data_tests: [unique]", "A test with column_name is one of a column"),
    "beside arguments": (TESTED % "accepted_values: {values: [1]}", "'values' cannot be used: move it below arguments"),
    "beside": (TESTED % "unique: {severity: warn}", "'severity' cannot be used: move it below config"),
    "of a test": (TESTED % "unique: {config: {were: a}}", "'were' cannot be used: did you mean where?"),
    "argument": (TESTED % "unique: {arguments: {x: 1}}", "arguments column_name, x, but unique takes column_name"),
    "severity": (TESTED % "unique: {config: {severity: fatal}}", "severity is 'fatal': use one"),
    "ref": (TESTED % "relationships: {arguments: {to: ref('x'), field: y}}", "there is no model x"),
    "meta": ("meta: 3", "meta is 3: write keys and values below it"),
    "tags": ("tags: 3", "tags is 3: write a text or a list"),
    "key": ("config: {unique_key: 3}", "unique_key is 3: write a text or a list"),
    "test without keys": (TESTED % "unique: 3", "unique is 3: write keys and values below it"),
    "arguments without keys": (TESTED % "unique: {arguments: 3}", "arguments is 3: write keys and values below it"),
    "name of a test": (TESTED % "unique: {name: 3}", "name is 3: write a text"),
    "where of a test": (TESTED % "unique: {config: {where: 3}}", "where is 3: write a text"),
    "column's argument": (TESTED % "accepted_values: {arguments: {value: 1}}", "takes column_name, values"),
    "contract": ("config: {contract: {enforced: true}}", "an enforced contract is about columns: list them"),
    "contract without types": (
        "{config: {contract: {enforced: true}}, columns: [{name: day}]}",
        "list them, each with its data_type",
    ),
    "number as an argument": (TESTED % "unique: {arguments: {1: x}}", "has the arguments column_name, 1, but unique"),
    "no argument": ("data_tests: [{expression_is_true: {}}]", "takes expression, column_name: correct"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("properties", "message"), WRONG_PROPERTIES.values(), ids=WRONG_PROPERTIES)
def test_properties_are_refused(project: ModelProject, properties: str, message: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"marts.yml:\d+: .*{re.escape(message)}"):
        project.mart("select 1 as day", properties)


WRONG_YAML = {
    "no SQL file": ("models: [{name: other}]", "other has no other.sql: add the file"),
    "listed twice": ("models: [{name: a}, {name: a}]", "models a is also in"),
    "no name": ("models: [{description: A.}]", "an entry of the file: models has no name"),
    "no list": ("models: {a: 1}", "models is {'a': 1}: write a list"),
    "no YAML": ("models: [", "this is not valid YAML"),
    "itself": ("models: &all [*all]", "this is nested too deeply, or an alias is part of what it stands for"),
    "key twice": ("models: [{name: a, name: b}]", "this is not valid YAML: name is there twice"),
    "source": ("sources: [{name: s, tables: [{name: t, data_tests: [unique]}]}]", "tests of sources are not run"),
    "source twice": ("sources: [{name: raw, tables: [{name: t}, {name: t}]}]", "source raw t is also in"),
    "file as a source": (
        "sources: [{name: s, tables: [{name: t, meta: {external_location: a.csv}}]}]",
        "s: external_location cannot be used: read the file in a model",
    ),
    "dbt's unit tests": ("unit_tests: []", "'unit_tests' cannot be used: test the model with pytest"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_YAML.values(), ids=WRONG_YAML)
def test_yaml_file_is_refused(project: ModelProject, text: str, message: str) -> None:
    project.write("marts/a.sql", "select 1 as x")
    project.write("marts/marts.yml", text)

    with pytest.raises(ModelsRefused, match=rf"marts.yml(:\d+)?: .*{re.escape(message)}"):
        project.models()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("models:\n  # Müller\n".encode("cp1252"), "invalid leading UTF-8 octet. Save the file as UTF-8"),
        (b"models:\n  # \x07\n", "control characters are not allowed. Save the file as UTF-8, without"),
        (b"models:\n  - {name: a, meta: {since: 2026-02-30}}\n", "day is out of range for month: quote a text"),
        (b"models:\n\t- name: a\n", "found character that cannot start any token"),
    ],
    ids=["encoding", "control-character", "date", "tab"],
)
def test_yaml_file_that_cannot_be_read_is_refused_with_its_line(
    project: ModelProject, content: bytes, message: str
) -> None:
    project.write("marts/marts.yml", "").write_bytes(content)

    with pytest.raises(ModelsRefused, match=rf"marts\.yml:2: this is not valid YAML: {re.escape(message)}"):
        project.models()


@pytest.mark.parametrize("file", ["dbt_project.yml", "marts/marts.yml", "marts/sales.sql", "macros/divided.sql"])
def test_files_of_windows_editors_are_read(project: ModelProject, file: str) -> None:
    project.mart("{{ config(materialized='table') }}\nselect {{ divided(1, 2) }} as day", "{description: The day.}")
    content = project.path(file).read_bytes().replace(b"\n", b"\r\n")
    project.path(file).write_bytes(b"\xef\xbb\xbf" + content)

    assert project.models()["marts.sales"].materialized == "table"


WRONG_SETTINGS = {
    "meta": ("models: {+meta: 3}", "models: +meta is 3: write keys and values below it"),
    "tags": ("models: {+tags: 5}", "models: +tags is 5: write a text or a list"),
    "value": ("models: {crm: {marts: {+materialized: tabel}}}", "crm: marts: +materialized is 'tabel': use one"),
    "misspelt": ("seeds: {+scheme: a}", "seeds: the key '+scheme' cannot be used: did you mean +schema?"),
    "dbt's own": ("snapshots: {+target_schema: a}", "the key '+target_schema' cannot be used: write schema, as dbt"),
    "boolean": ("models: {+enabled: maybe}", "models: +enabled is 'maybe': write true or false, without quotes"),
    "quoted": ("models: {+enabled: 'false'}", "models: +enabled is 'false': write true or false, without quotes"),
    "no boolean": ("models: {+enabled: }", "models: +enabled is None: write true or false, without quotes"),
    "folder": ("models: {crm: {marts: 3}}", "models: crm: the key 'marts' cannot be used: remove it"),
    "number as key": ("models: {1: 2}", "models: the key 1 cannot be used: remove it"),
    "schema": ("models: {+schema: [a]}", "models: +schema is ['a']: write a text"),
    "levels": ("models: 3", "models is 3: write keys and values below it"),
    "tests": ("data_tests: {+severity: fatal}", "data_tests: +severity is 'fatal': use one of error, warn"),
    "variables": ("vars: 3", "vars is 3: write keys and values below it"),
    "paths": ("model-paths: [marts]", "model-paths is ['marts']: use one of ['models']"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_setting_of_the_project_is_refused_where_it_is(project: ModelProject, text: str, message: str) -> None:
    project.write("dbt_project.yml", f"name: crm\n{text}")
    project.write("marts/sales.sql", "select 1 as day")

    with pytest.raises(ModelsRefused, match=rf"dbt_project\.yml:2: the file: .*{re.escape(message)}"):
        project.models()


def test_variable_of_the_settings_is_unknown_in_them_as_for_dbt(project: ModelProject) -> None:
    project.write("dbt_project.yml", "name: crm\nvars: {sold: false}\nmodels:\n  +enabled: \"{{ var('sold', true) }}\"")
    project.write("marts/sales.sql", "select 1 as day")

    with pytest.raises(
        ModelsRefused, match=r"dbt_project\.yml:4: vars of dbt_project\.yml .*: write the value of sold"
    ):
        project.models()


def test_project_without_its_file_is_refused(project: ModelProject) -> None:
    path = project.path("dbt_project.yml")
    path.unlink()

    with pytest.raises(ModelsRefused, match=re.escape(f"{path}: No such file or directory. Restore it")):
        project.models()


@pytest.mark.parametrize("key", ["enabled", "depends_on_today", "full_refresh", "store_failures"])
def test_boolean_of_a_model_is_no_text(project: ModelProject, key: str) -> None:
    project.write("marts/a.sql", f"{{{{ config({key}='false') }}}} select 1 as x")

    with pytest.raises(ModelsRefused, match=rf"a\.sql:1: a: {key} is 'false': write true or false, without quotes"):
        project.models()


@pytest.mark.parametrize(("text", "there"), [("True", True), ("False", False)])
def test_text_of_the_environment_may_be_read_as_a_boolean(project: ModelProject, text: str, there: bool) -> None:
    project.write("marts/sales.sql", "select 1 as day")
    enabled = f"{{{{ (env_var('DBT_NOT_SET', '{text}') | as_bool) }}}}"
    project.write("marts/marts.yml", f'models: [{{name: sales, config: {{enabled: "{enabled}"}}}}]')

    assert ("marts.sales" in project.models()) is there


@pytest.mark.parametrize("key", ["depends_on_today", "full_refresh", "store_failures"])
def test_boolean_may_be_null_as_for_dbt(project: ModelProject, key: str) -> None:
    assert project.mart("select 1 as day", f"config: {{{key}: null}}").config[key] is None


def test_boolean_that_a_template_makes_a_text_is_refused(project: ModelProject) -> None:
    with pytest.raises(ModelsRefused, match=r"sales: enabled is 'false': write true or false"):
        project.mart("select 1 as day", """config: {enabled: "{{ 'false' }}"}""")


@pytest.mark.parametrize(("text", "message"), [("version: 1", "has no name"), ("name: 3", "name is 3: write a text")])
def test_project_without_a_name_is_refused(project: ModelProject, text: str, message: str) -> None:
    project.write("dbt_project.yml", text)

    with pytest.raises(ModelsRefused, match=rf"dbt_project\.yml:1: the file:? {message}"):
        project.models()
