"""What dbt's projects have besides SELECTs: macros, contracts, strategies, snapshots and docs blocks."""

import json
from typing import Any

import pytest

from crm_assets.errors import ModelError, ModelsRefused
from crm_assets_tests.runner.model_project import ModelProject


def test_macros_and_variables_are_filled_in(project: ModelProject) -> None:
    project.write("macros/doubled.sql", "{% macro _twice(x) %}{{ return(x * 2) }}{% endmacro %}\n")
    project.write("macros/sums.sql", "{% macro sum_of(xs) %}{{ _twice(xs | sum) }}{% endmacro %}\n")
    three = "{% set xs = [1, 2] %}{% for x in range(3, 9) %}{% do xs.append(x) %}{% break %}{% endfor %}"
    project.build(project.mart(f"{three}select {{{{ sum_of(xs) }}}} as day, '{{{{ this }}}}' as place"))

    assert project.rows() == [(12, "marts.sales")]


def test_macro_returns_a_value_to_one_of_its_file(project: ModelProject) -> None:
    project.write(
        "macros/sums.sql",
        "{% macro xs() %}{{ return([1, 2]) }}{% endmacro %}"
        "{% macro sum_of_xs() %}{% for x in xs() %}{{ x }} + {% endfor %}0{% endmacro %}",
    )
    project.build(project.mart("select {{ sum_of_xs() }} as day"))

    assert project.rows() == [(3,)]


def test_default_of_a_configuration_may_be_named(project: ModelProject) -> None:
    sql = "{{ config(meta={'n': 2}) }} {{ print('x') }} select {{ config.get('no', default=3) * config.get('meta').n }}"

    assert project.mart(sql).sql.strip() == "select 6"


def test_macro_of_names_is_that_of_dbts_documentation(project: ModelProject) -> None:
    project.write(
        "macros/names.sql",
        "{% macro generate_alias_name(custom_alias_name=none, node=none) -%}"
        "{% if custom_alias_name %}{{ custom_alias_name | trim }}"
        "{% elif node.version %}{{ return(node.name ~ '_v' ~ node.version) }}"
        "{% else %}{{ node.name }}{% endif %}{%- endmacro %}",
    )

    assert project.mart("select 1 as day").name == "sales"


def test_variable_may_be_missing_or_null(project: ModelProject) -> None:
    project.build(project.mart("select {{ var('nope', none) is none }} as day"))

    assert project.rows() == [(True,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rebuilt", "full_refresh", "kept"),
    [("true", False, 1), ("false", True, 2), ("none", False, 2), ("none", True, 1)],
)
def test_incremental_model_says_whether_it_is_rebuilt(
    project: ModelProject, rebuilt: str, full_refresh: bool, kept: int
) -> None:
    config = "materialized='incremental'" + ("" if rebuilt == "none" else f", full_refresh={rebuilt}")
    model = project.mart(f"{{{{ config({config}) }}}} select 1 as day")
    for _ in range(2):
        project.build(model, full_refresh=full_refresh)

    assert len(project.rows()) == kept


def test_error_in_rendered_sql_names_the_line_of_the_file(project: ModelProject) -> None:
    sql = """
    {%- set days = [1, 2, 3] -%}
    {#- Several lines
        become none. -#}
    with days as (
        {% for day in days %}
        select {{ day }} as day
        {% if not loop.last %}union all{% endif %}
        {% endfor %}
    )

    select
        nope
    from days
    """
    with pytest.raises(ModelError, match=r"sales\.sql:12: Binder Error: .*nope"):
        project.build(project.mart(sql))


def test_error_in_a_macro_names_its_file(project: ModelProject) -> None:
    project.write("macros/wrong.sql", "{% macro wrong() %}\n{{ missing }}\n{% endmacro %}\n")

    with pytest.raises(ModelsRefused, match=r"macros/wrong\.sql:2: 'missing' is undefined"):
        project.mart("select {{ wrong() }} as day")


def test_error_in_a_macro_of_names_has_its_line(project: ModelProject) -> None:
    macro = "{% macro generate_alias_name(custom_alias_name=none, node=none) -%}\n\n{{ node.fqn }}{%- endmacro %}"
    project.write("macros/names.sql", macro)

    with pytest.raises(ModelsRefused, match=r"macros/names\.sql:3: 'dict object' has no attribute 'fqn'"):
        project.mart("select 1 as day")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select 1 as day", None),
        ("select 1::bigint as day", "day is BIGINT, not INTEGER"),
        ("select 1 as day, 2 as n", "n is INTEGER, not there"),
        ("select 1 as n", "day is missing, not INTEGER; n is INTEGER, not there"),
    ],
)
def test_enforced_contract_is_compared_with_the_table(project: ModelProject, sql: str, message: str | None) -> None:
    model = project.mart(sql, "{config: {contract: {enforced: true}}, columns: [{name: day, data_type: int}]}")
    if message is None:
        project.build(model)
    else:
        with pytest.raises(ModelError, match=rf"marts\.yml:\d+: sales breaks its contract: {message}"):
            project.build(model)


@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_contract_says_the_order_of_columns(project: ModelProject, materialized: str) -> None:
    config = f"config: {{materialized: {materialized}, contract: {{enforced: true}}}}"
    columns = "columns: [{name: n, data_type: text}, {name: day, data_type: int}]"
    model = project.mart("select 1 as day, 'a' as n -- both", f"{{{config}, {columns}}}")
    for _ in range(2):
        project.build(model)

    assert set(project.rows()) == {("a", 1)}


@pytest.mark.parametrize(
    ("strategy", "key", "expected"),
    [
        ("append", None, [(1, "a", None), (1, None, 5), (2, None, 6)]),
        ("delete+insert", "day", [(1, None, 5), (2, None, 6)]),
        ("merge", "day", [(1, "a", 5), (2, None, 6)]),
    ],
)
def test_incremental_strategy_decides_about_earlier_rows(
    project: ModelProject, strategy: str, key: str | None, expected: list[tuple[Any, ...]]
) -> None:
    config = {"materialized": "incremental", "incremental_strategy": strategy, **({"unique_key": key} if key else {})}
    later = "select 1 as day, 5 as n union all select 2, 6"
    sql = f"{{% if is_incremental() %}}{later}{{% else %}}select 1 as day, 'a' as name{{% endif %}}"
    model = project.mart(sql, json.dumps({"config": config}))
    for _ in range(2):
        project.build(model)

    assert project.execute("select day, name, n from marts.sales order by all") == expected


def test_snapshot_may_be_a_block_in_a_file(project: ModelProject) -> None:
    project.write(
        "snapshots/history.sql",
        """
        {% snapshot history %}
        {{ config(unique_key='id', strategy='check', check_cols='all') }}
        select 1 as id
        {% endsnapshot %}
        """,
    )
    project.build(project.models()["snapshots.history"])

    assert project.execute("select id from snapshots.history") == [(1,)]


def test_braces_in_markdown_are_text_outside_of_docs_blocks(project: ModelProject) -> None:
    project.write("models/README.md", "# Use {#use}\n`{{ ref('x') }}` {% if %}\n")
    project.write("models/a.md", "## {#b}\n{% docs grain %}One row per day.{% enddocs %}\n{{ x }}\n")
    model = project.mart("select 1 as day", "description: \"{{ doc('grain') }}\"")

    assert model.description == "One row per day."


@pytest.mark.parametrize("names", ["'grain'", "'crm', 'grain'"])
@pytest.mark.parametrize("file", ["models/sales.md", "seeds/sales.md", "macros/sales.md"])
def test_description_may_be_a_docs_block(project: ModelProject, file: str, names: str) -> None:
    project.write(file, "{% docs grain %}\nOne row per day.\n{% enddocs %}\n")
    model = project.mart("select 1 as day", f"""description: '{{{{ doc({names.replace("'", '"')}) }}}}'""")

    assert model.description == "One row per day."
