"""What is refused of a project before anything runs, with instructions."""

import re

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets_tests.runner.model_project import ModelProject

TESTED = "columns: [{name: day, description: The day., data_tests: [{%s}]}]"


def test_two_models_of_one_table_are_refused(project: ModelProject) -> None:
    project.write("marts/a.sql", "{{ config(alias='sales') }} select 1 as day")

    with pytest.raises(ModelsRefused, match=r"sales\.sql:1: marts\.sales is the table of .*a\.sql: change a name"):
        project.mart("select 1 as day")


WRONG_SQL = {
    "table": ("select *\nfrom raw.acounts", "sales.sql:2: the model reads raw.acounts, which is neither"),
    "table without schema": ("select * from accounts", "reads accounts, which is neither"),
    "no such model": ("select 1\nfrom {{ ref('x') }}", "sales.sql:2: there is no model x: correct"),
    "source": ("select 1\nfrom {{ source('raw', 'x') }}", "sales.sql:2: there is no source raw.x"),
    "two statements": ("select 1; select 2", "has 2 statements"),
    "pivot": (
        "pivot (select 1 as a, 2 as b) on b using sum(a)",
        "and IN with the values in a PIVOT",
    ),
    "no statement": ("-- to do", "has 0 statements"),
    "no select": ("insert into raw.accounts select 1", "statement is INSERT, not SELECT"),
    "no SQL": ("select 1,\nfrom (\nwhere", "sales.sql:3: this is not valid SQL: Parser Error"),
    "no template": ("select 1\n{% if %}", "sales.sql:2: Expected an expression"),
    "itself": ("select * from {{ ref('sales') }}", "depends on itself: marts.sales reads marts.sales"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("sql", "message"), WRONG_SQL.values(), ids=WRONG_SQL)
def test_sql_is_refused(project: ModelProject, sql: str, message: str) -> None:
    with pytest.raises(ModelsRefused, match=f"sales.sql.*{re.escape(message.removeprefix('sales.sql'))}"):
        project.mart(sql)


@pytest.mark.slow
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
        ("doc('other', 'grain')", "there is no docs block other.grain: correct"),
        ("config.require('nope')", "has no attribute 'require'"),
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
        (
            "macros/a.sql",
            "{% macro a() %}{% endmacro %}\n{% macro divided() %}{% endmacro %}",
            r"divided\.sql:\d: macro divided is also in .*a\.sql: rename",
        ),
        ("staging/sales.sql", "select 1 as day", r"name sales is also in .*: rename or remove one of them"),
        (
            "macros/ref.sql",
            "{# Ours. #}\n{% macro ref(name) %}{{ return(builtins.ref(name)) }}{% endmacro %}",
            r"macros/ref\.sql:2: macro ref is also in dbt: rename or remove",
        ),
    ],
)
def test_file_that_cannot_be_used_is_refused(project: ModelProject, file: str, text: str, message: str) -> None:
    project.write(file, text)

    with pytest.raises(ModelsRefused, match=message):
        project.mart("select 1 as day")


def test_ref_of_a_disabled_model_is_refused(project: ModelProject) -> None:
    project.write("marts/a.sql", "{{ config(enabled=false) }} select 1 as day")

    with pytest.raises(ModelsRefused, match=r"sales\.sql:1: there is no model a: correct the name, or enable it"):
        project.mart("select * from {{ ref('a') }}")


def test_two_docs_blocks_of_one_name_are_refused(project: ModelProject) -> None:
    block = "{% docs grain %}One row per day.{% enddocs %}\n"
    project.write("models/a.md", block)
    project.write("models/b.md", f"# Sales\n{block}")

    with pytest.raises(ModelsRefused, match=r"b\.md:2: macro docs_grain is also in .*: rename or remove one"):
        project.models()


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
    "no model's": (
        "config: {materialized: seed}",
        "materialized is 'seed': use one of ephemeral, incremental, table, view",
    ),
    "capitals": ("config: {materialized: VIEW}", "materialized is 'VIEW': use one of ephemeral"),
    "config": ("config: {materialised: view}", "'materialised' cannot be used: did you mean materialized?"),
    "dbt's own config": ("config: {merge_update_columns: [a]}", "'merge_update_columns' cannot be used: remove it"),
    "config without keys": ("config: incremental", "config is 'incremental': write keys and values"),
    "misspelt": ("data_test: [unique]", "'data_test' cannot be used: did you mean data_tests?"),
    "dbt's own key": ("constraints: [x]", "'constraints' cannot be used: write data_tests, or"),
    "hook": ("config: {post-hook: x}", "'post-hook' cannot be used: remove it, or build the"),
    "owner": ("meta: {owner: nobody}", "the owner is 'nobody': write team:NAME"),
    "owner with a name": (
        "meta: {owner: Ann <ann@example.com>}",
        "the owner is 'Ann <ann@example.com>': write team:NAME",
    ),
    "schema": ("config: {schema: my.marts}", "the schema is 'my.marts': write one without dots"),
    "schema of raw tables": ("config: {schema: RAW}", "the schema is 'RAW': write one without dots that is none of"),
    "schema of failing rows": (
        "config: {schema: dbt_test__audit}",
        "is 'dbt_test__audit': write one without dots that is none of",
    ),
    "unnamed column": ("columns: [{description: The day.}]", "an entry of sales: columns has no name"),
    "no list": ("columns: {day: x}", "columns is {'day': 'x'}: write a list"),
    "ephemeral": (
        "{config: {materialized: ephemeral}, columns: [{name: day, data_tests: [unique]}]}",
        "tests of ephemeral models are not run",
    ),
    "kind of test": ("data_tests: [uniqe]", "has the unknown kind 'uniqe': use one of"),
    "two kinds in one": ("data_tests: [{unique: {}, not_null: {}}]", "is neither KIND nor"),
    "column's test on the model": ("data_tests: [unique]", "A test with column_name is one of a column"),
    "beside arguments": (TESTED % "accepted_values: {values: [1]}", "'values' cannot be used"),
    "beside": (TESTED % "unique: {severity: warn}", "'severity' cannot be used: move it below config"),
    "of a test": (TESTED % "unique: {config: {were: a}}", "'were' cannot be used: did you mean where?"),
    "argument": (
        TESTED % "unique: {arguments: {x: 1}}",
        "the arguments column_name, x, but unique takes column_name: correct",
    ),
    "severity": (TESTED % "unique: {config: {severity: fatal}}", "severity is 'fatal': use one"),
    "ref": (TESTED % "relationships: {arguments: {to: ref('x'), field: y}}", "there is no model x"),
    "meta": ("meta: 3", "meta is 3: write keys and values below it"),
    "tags": ("tags: 3", "tags is 3: write a text or a list"),
    "key": ("config: {unique_key: 3}", "unique_key is 3: write a text or a list"),
    "test without keys": (TESTED % "unique: 3", "unique is 3: write keys and values below it"),
    "arguments without keys": (TESTED % "unique: {arguments: 3}", "arguments is 3: write keys and values below it"),
    "name of a test": (TESTED % "unique: {name: 3}", "name is 3: write a text"),
    "where of a test": (TESTED % "unique: {config: {where: 3}}", "where is 3: write a text"),
    "column's argument": (
        TESTED % "accepted_values: {arguments: {value: 1}}",
        "accepted_values takes column_name, values, quote",
    ),
    "contract": ("config: {contract: {enforced: true}}", "an enforced contract is about columns: list them"),
    "contract without types": (
        "{config: {contract: {enforced: true}}, columns: [{name: day}]}",
        "an enforced contract is about columns: list them, each with its data_type",
    ),
    "number as an argument": (TESTED % "unique: {arguments: {1: x}}", "has the arguments column_name, 1, but unique"),
    "no argument": (
        "data_tests: [{expression_is_true: {}}]",
        "expression_is_true takes expression, column_name: correct",
    ),
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
    "disabled source": (
        "sources: [{name: s, config: {enabled: false}}]",
        "the key 'enabled' cannot be used: remove it",
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
    "value": (
        "models: {crm: {marts: {+materialized: tabel}}}",
        "models: crm: marts: +materialized is 'tabel': use one",
    ),
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
    "paths": ("model-paths: 7", "the key 'model-paths' cannot be used: remove it"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
def test_setting_of_the_project_is_refused_where_it_is(project: ModelProject, text: str, message: str) -> None:
    project.write("dbt_project.yml", f"name: crm\n{text}")
    project.write("marts/sales.sql", "select 1 as day")

    with pytest.raises(ModelsRefused, match=rf"dbt_project\.yml:2: the file: .*{re.escape(message)}"):
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


@pytest.mark.parametrize("file", ["marts/a.sql", "seeds/targets.csv", "macros/a.sql", "models/notes.md"])
def test_file_in_another_encoding_is_refused(project: ModelProject, file: str) -> None:
    path = project.write(file, "name\n")
    path.write_bytes("name\nMüller\n".encode("cp1252"))

    with pytest.raises(ModelsRefused, match=re.escape(f"{path}:2: not UTF-8. Save the file in this encoding")):
        project.models()


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("not_nul", "sales: a test of column day has the unknown kind 'not_nul'"),
        ("unique: {config: {severity: warning}}", "unique: config: severity is 'warning': use one of"),
    ],
    ids=["unknown-kind", "wrong-config"],
)
def test_refusal_names_the_line_of_the_test(test: str, problem: str, project: ModelProject) -> None:
    project.write("marts/sales.sql", "select 1 as day")
    project.write(
        "marts/marts.yml",
        f"""
        models:
          - name: sales
            columns:
              - name: day
                data_tests:
                  - not_null
                  - {test}
        """,
    )
    with pytest.raises(ModelsRefused, match=re.escape(f"marts.yml:7: {problem}")):
        project.models()


def test_wrong_config_of_a_file_names_the_file(project: ModelProject) -> None:
    with pytest.raises(ModelsRefused, match=r"sales\.sql:2: sales: materialized is 'tabel': use one of"):
        project.mart("-- Sales.\n{{ config(materialized='tabel') }} select 1 as day", "meta: {}")


def test_all_errors_are_reported_together(project: ModelProject) -> None:
    project.write("marts/a.sql", "select 1; select 2")
    project.write("staging/b.sql", "drop table raw.accounts")

    with pytest.raises(ModelsRefused, match=r"(?s)a\.sql.*b\.sql"):
        project.models()


def test_blocking_comparison_with_a_reader_is_a_cycle(project: ModelProject) -> None:
    project.write("marts/b.sql", "select day from {{ ref('sales') }}")

    with pytest.raises(ModelsRefused, match="or give the test of relationships among them severity warn"):
        project.mart("select 1 as day", TESTED % "relationships: {arguments: {to: ref('b'), field: day}}")
