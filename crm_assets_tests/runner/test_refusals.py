"""What is refused of models, templates and tests before anything runs, with instructions."""

import re

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets_tests.runner.model_project import ModelProject


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
    "pivot": ("pivot (select 1 as a, 2 as b) on b using sum(a)", "and IN with the values in a PIVOT"),
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
        ("adapter.get_relation()", "'adapter' is undefined: adapter calls, queries while rendering and packages are"),
        ("run_query('select 1')", "'run_query' is undefined: adapter calls"),
        ("dbt_utils.star(ref('sales'))", "'dbt_utils' is undefined: adapter calls"),
        ("env_var('API_KEY')", "env_var cannot read API_KEY: use a name that begins with DBT_"),
        ("env_var('DBT_ENV_SECRET_KEY')", "env_var cannot read DBT_ENV_SECRET_KEY"),
        ("ref('sales', v=2)", "versions of models are not supported: write a file for each"),
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
        ("marts/a.py", "def model(dbt, session): ...", r"a\.py:1: packages and Python models are not supported"),
        ("dbt_project.yml", "name: crm\non-run-end: []", r"dbt_project\.yml:2: .* 'on-run-end' cannot be used: remove"),
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


def test_error_in_a_macro_that_all_models_call_is_reported_once(project: ModelProject) -> None:
    project.write("macros/names.sql", "{% macro generate_alias_name(name, node) %}{{ node.fqn }}{% endmacro %}")
    project.write("marts/a.sql", "select 1 as day")

    with pytest.raises(ModelsRefused) as refused:
        project.mart("select 1 as day")

    assert str(refused.value).count("names.sql:1") == 1


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
    compared = "relationships: {arguments: {to: ref('b'), field: day}}"

    with pytest.raises(ModelsRefused, match="or give the test of relationships among them severity warn"):
        project.mart("select 1 as day", f"columns: [{{name: day, data_tests: [{{{compared}}}]}}]")
