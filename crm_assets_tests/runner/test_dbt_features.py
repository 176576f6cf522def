"""What dbt's projects have besides SELECTs: macros, contracts, strategies, and configuration of tests."""

import json
from typing import Any

import duckdb
import pytest

from crm_assets.errors import ModelError, ModelsRefused, WrongRows
from crm_assets.runner.builds import AUDIT, build
from crm_assets_tests.runner.model_project import ModelProject

DAYS = "select unnest(range(1, 6)) as day"


def with_test(config: dict[str, Any], kind: str = "accepted_range", **arguments: Any) -> str:
    """Properties with a test of the day, which has to be at most 2 by default."""
    written = {kind: {"arguments": arguments or {"max_value": 2}, "config": config}}
    return json.dumps({"columns": [{"name": "day", "data_tests": [written]}]})


def rows(connection: duckdb.DuckDBPyConnection, table: str = "marts.sales") -> list[tuple[Any, ...]]:
    return connection.execute(f"from {table} order by all").fetchall()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"severity": "warn"}, ("warn", "3 of 5 rows have a day that is not at most 2")),
        ({"severity": "warn", "where": "day < 5"}, ("warn", "2 of 4 rows have a day that is not at most 2")),
        ({"severity": "warn", "limit": 1}, ("warn", "1 of 5 rows have a day that is not at most 2")),
        ({"severity": "warn", "fail_calc": "max(day)"}, ("warn", "5 of 5 rows have a day that is not at most 2")),
        ({"error_if": "> 3"}, ("warn", "3 of 5 rows have a day that is not at most 2")),
        ({"warn_if": "> 3", "error_if": "> 3"}, (None, "none fails")),
        (
            {"severity": "WARN", "limit": None, "fail_calc": None, "warn_if": None, "error_if": None, "where": None},
            ("warn", "3 of 5 rows have a day that is not at most 2"),
        ),
    ],
    ids=str,
)
def test_configuration_of_a_test_counts(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, config: dict[str, Any], found: tuple[str, str]
) -> None:
    [outcome] = build(connection, project.mart(DAYS, with_test(config))).outcomes

    assert (outcome.severity, outcome.found) == found


@pytest.mark.parametrize("severity", ["warn", "error"])
def test_failing_rows_are_stored_if_asked_for(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, severity: str
) -> None:
    model = project.mart(DAYS, with_test({"severity": severity, "store_failures": True}))
    try:
        build(connection, model)
    except WrongRows:
        assert severity == "error"

    assert rows(connection, f"{AUDIT}.sales_day_accepted_range") == [(3,), (4,), (5,)]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize("kind", ["incremental", "snapshot"])
def test_failing_rows_of_a_refused_history_are_stored(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, kind: str, built: bool
) -> None:
    connection.execute("create schema raw; create table raw.accounts as select 1 as id, 10 as score")
    text = "select * from {{ source('raw', 'accounts') }}"
    config = {"incremental": {"materialized": "incremental"}, "snapshot": {"strategy": "check", "check_cols": "all"}}[
        kind
    ]
    test = {"accepted_range": {"arguments": {"max_value": 10}, "config": {"store_failures": True}}}
    entry = {
        "name": "kept",
        "config": {"unique_key": "id", **config},
        "columns": [{"name": "score", "data_tests": [test]}],
    }
    folder, key = ("snapshots", "snapshots") if kind == "snapshot" else ("marts", "models")
    project.write(f"{folder}/kept.sql", text)
    project.write(f"{folder}/kept.yml", json.dumps({key: [entry]}))
    model = project.models()[f"{folder}.kept"]
    if built:
        build(connection, model)
    connection.execute("update raw.accounts set score = 11; insert into raw.accounts values (2, 12), (3, 7)")

    with pytest.raises(WrongRows) as refused:
        build(connection, model)

    stored = rows(connection, f"{AUDIT}.kept_score_accepted_range")
    assert [row[:2] for row in stored] == [(1, 11), (2, 12)]
    [failed] = [outcome for outcome in refused.value.outcomes if outcome.severity == "error"]
    assert failed.failing == len(connection.execute(failed.sql).fetchall()) == 2


def test_rows_of_all_tests_are_stored_of_a_refused_first_build(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    project.add_settings("data_tests: {+store_failures: true}")
    model = project.mart("{{ config(materialized='incremental', unique_key='day') }} select unnest([1, 1]) as day")

    with pytest.raises(WrongRows):
        build(connection, model)

    assert rows(connection, f"{AUDIT}.sales_day_unique") == [(1, 2)]
    assert rows(connection, f"{AUDIT}.sales_day_not_null") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "config", "severity"),
    [
        pytest.param("", {"enabled": False}, None, id="disabled"),
        pytest.param("data_tests: {crm: {+enabled: false}}", {}, None, id="all disabled"),
        pytest.param(
            "", {"severity": "{{ 'warn' if var('fiscal_year_start') == 1 else 'error' }}"}, "warn", id="template"
        ),
        pytest.param("data_tests: {+severity: warn}", {}, "warn", id="every project"),
        pytest.param("tests: {crm: {marts: {+severity: warn}}}", {}, "warn", id="earlier name"),
        pytest.param("", {"severity": "warn", "where": "day > {{ var('fiscal_year_start') }} + 9"}, None, id="where"),
    ],
)
def test_configuration_of_a_test_is_dbts(
    project: ModelProject,
    connection: duckdb.DuckDBPyConnection,
    settings: str,
    config: dict[str, Any],
    severity: str | None,
) -> None:
    project.add_settings(settings)
    outcomes = build(connection, project.mart(DAYS, with_test(config))).outcomes

    assert {outcome.severity for outcome in outcomes} - {None} == {severity} - {None}


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({}, ("warn", "2 fail: above of day")),
        ({"severity": "error", "error_if": "> 5"}, ("warn", "2 fail: above of day")),
    ],
    ids=["kind", "its YAML first"],
)
def test_kind_of_test_configures_its_tests(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, config: dict[str, Any], found: tuple[str, str]
) -> None:
    project.add_settings("data_tests: {+severity: error}")
    project.write(
        "tests/generic/above.sql",
        """
        {% test above(model, column_name, limit, severity='warn') %}
        {{ config(severity=severity, where='day < 5') }}
        select * from {{ model }} where {{ column_name }} > {{ limit }}
        {% endtest %}
        """,
    )
    [outcome] = build(connection, project.mart(DAYS, with_test(config, "above", limit=2))).outcomes

    assert (outcome.severity, outcome.found) == found


def test_kind_of_test_may_have_its_model_last(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    kind = "{% test odd(column_name, model) %}select * from {{ model }} where {{ column_name }} % 2 = 1{% endtest %}"
    project.write("tests/generic/odd.sql", kind)
    properties = "columns: [{name: day, data_tests: [{odd: {config: {severity: warn}}}]}]"
    [outcome] = build(connection, project.mart(DAYS, properties)).outcomes

    assert outcome.failing == 3


def test_column_of_a_models_test_is_in_its_sentence(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    test = "{not_null: {arguments: {column_name: 'nullif(day, 3)'}, config: {severity: warn}}}"
    [outcome] = build(connection, project.mart(DAYS, f"data_tests: [{test}]")).outcomes

    assert outcome.found == "1 of 5 rows have no nullif(day, 3)"


def test_where_is_a_template_in_sentences_too(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    where = "day > {{ var('fiscal_year_start') }}"
    [outcome] = build(connection, project.mart(DAYS, with_test({"severity": "warn", "where": where}))).outcomes

    assert outcome.found == "3 of 4 rows have a day that is not at most 2"


def test_test_of_ones_own_is_described_by_its_comments(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    project.write(
        "tests/generic/even.sql",
        """
        {# passes: Each {{ column_name }} is even. #}
        {# fails: {{ failing }} of {{ rows }} are odd #}
        {% test even(model, column_name) %}
        select * from {{ model }} where {{ column_name }} % 2 = 1
        {% endtest %}
        """,
    )
    [outcome] = build(
        connection, project.mart(DAYS, with_test({"severity": "warn"}, "even", x=1).replace('"x": 1', ""))
    ).outcomes

    assert (outcome.test.description, outcome.found) == ("Each day is even.", "3 of 5 rows are odd")


def test_macros_and_variables_are_filled_in(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    project.write("macros/doubled.sql", "{% macro _twice(x) %}{{ return(x * 2) }}{% endmacro %}\n")
    project.write("macros/sums.sql", "{% macro sum_of(xs) %}{{ _twice(xs | sum) }}{% endmacro %}\n")
    three = "{% set xs = [1, 2] %}{% for x in range(3, 9) %}{% do xs.append(x) %}{% break %}{% endfor %}"
    build(connection, project.mart(f"{three}select {{{{ sum_of(xs) }}}} as day, '{{{{ this }}}}' as place"))

    assert rows(connection) == [(12, "marts.sales")]


def test_macro_returns_a_value_to_one_of_its_file(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    project.write(
        "macros/sums.sql",
        "{% macro xs() %}{{ return([1, 2]) }}{% endmacro %}"
        "{% macro sum_of_xs() %}{% for x in xs() %}{{ x }} + {% endfor %}0{% endmacro %}",
    )
    build(connection, project.mart("select {{ sum_of_xs() }} as day"))

    assert rows(connection) == [(3,)]


def test_variable_may_be_missing_or_null(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    build(connection, project.mart("select {{ var('nope', none) is none }} as day"))

    assert rows(connection) == [(True,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rebuilt", "full_refresh", "kept"),
    [("true", False, 1), ("false", True, 2), ("none", False, 2), ("none", True, 1)],
)
def test_incremental_model_says_whether_it_is_rebuilt(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, rebuilt: str, full_refresh: bool, kept: int
) -> None:
    config = "materialized='incremental'" + ("" if rebuilt == "none" else f", full_refresh={rebuilt}")
    model = project.mart(f"{{{{ config({config}) }}}} select 1 as day")
    for _ in range(2):
        build(connection, model, full_refresh=full_refresh)

    assert len(rows(connection)) == kept


def test_error_in_rendered_sql_names_the_line_of_the_file(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
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
        build(connection, project.mart(sql))


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
def test_enforced_contract_is_compared_with_the_table(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, sql: str, message: str | None
) -> None:
    model = project.mart(sql, "{config: {contract: {enforced: true}}, columns: [{name: day, data_type: int}]}")
    if message is None:
        build(connection, model)
    else:
        with pytest.raises(ModelError, match=rf"marts\.yml:\d+: sales breaks its contract: {message}"):
            build(connection, model)


@pytest.mark.parametrize("materialized", ["table", "incremental"])
def test_contract_says_the_order_of_columns(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, materialized: str
) -> None:
    config = f"config: {{materialized: {materialized}, contract: {{enforced: true}}}}"
    columns = "columns: [{name: n, data_type: text}, {name: day, data_type: int}]"
    model = project.mart("select 1 as day, 'a' as n -- both", f"{{{config}, {columns}}}")
    for _ in range(2):
        build(connection, model)

    assert set(rows(connection)) == {("a", 1)}


@pytest.mark.parametrize(
    ("strategy", "key", "expected"),
    [
        ("append", None, [(1, "a", None), (1, None, 5), (2, None, 6)]),
        ("delete+insert", "day", [(1, None, 5), (2, None, 6)]),
        ("merge", "day", [(1, "a", 5), (2, None, 6)]),
    ],
)
def test_incremental_strategy_decides_about_earlier_rows(
    project: ModelProject,
    connection: duckdb.DuckDBPyConnection,
    strategy: str,
    key: str | None,
    expected: list[tuple[Any, ...]],
) -> None:
    config = {"materialized": "incremental", "incremental_strategy": strategy, **({"unique_key": key} if key else {})}
    later = "select 1 as day, 5 as n union all select 2, 6"
    sql = f"{{% if is_incremental() %}}{later}{{% else %}}select 1 as day, 'a' as name{{% endif %}}"
    model = project.mart(sql, json.dumps({"config": config}))
    for _ in range(2):
        build(connection, model)

    assert connection.execute("select day, name, n from marts.sales order by all").fetchall() == expected


def test_snapshot_may_be_a_block_in_a_file(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    project.write(
        "snapshots/history.sql",
        """
        {% snapshot history %}
        {{ config(unique_key='id', strategy='check', check_cols='all') }}
        select 1 as id
        {% endsnapshot %}
        """,
    )
    build(connection, project.models()["snapshots.history"])

    assert connection.execute("select id from snapshots.history").fetchall() == [(1,)]


def test_braces_in_markdown_are_text_outside_of_docs_blocks(project: ModelProject) -> None:
    project.write("models/README.md", "# Use {#use}\n`{{ ref('x') }}` {% if %}\n")
    project.write("models/a.md", "## {#b}\n{% docs grain %}One row per day.{% enddocs %}\n{{ x }}\n")
    model = project.mart("select 1 as day", "description: \"{{ doc('grain') }}\"")

    assert model.description == "One row per day."


def test_where_may_read_other_models(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    project.write("staging/days.sql", "select 2 as day")
    where = "day in (select day from {{ ref('days') }}) and day in (select day from {{ this }})"
    properties = f'columns: [{{name: day, data_tests: [{{not_null: {{config: {{where: "{where}"}}}}}}]}}]'
    model = project.mart("select * from {{ ref('days') }}", properties)
    build(connection, project.models()["staging.days"])

    assert [outcome.found for outcome in build(connection, model).outcomes] == ["none fails"]


@pytest.mark.parametrize("names", ["'grain'", "'crm', 'grain'"])
@pytest.mark.parametrize("file", ["models/sales.md", "seeds/sales.md", "macros/sales.md"])
def test_description_may_be_a_docs_block(project: ModelProject, file: str, names: str) -> None:
    project.write(file, "{% docs grain %}\nOne row per day.\n{% enddocs %}\n")
    model = project.mart("select 1 as day", f"""description: '{{{{ doc({names.replace("'", '"')}) }}}}'""")

    assert model.description == "One row per day."
