"""Singular tests: a SELECT in a file of its own, for rows that should not be."""

import pytest

from crm_assets.errors import ModelsRefused, WrongRows
from crm_assets_tests.runner.model_project import ModelProject


def test_test_belongs_to_the_model_that_it_reads(project: ModelProject) -> None:
    project.write("tests/no_sale_on_day_two.sql", "select day from {{ ref('sales') }} where day = 2;\n")
    model = project.mart("select 2 as day")

    with pytest.raises(
        WrongRows, match=r"no_sale_on_day_two: 1 failing row: No row is found by no_sale_on_day_two\.sql"
    ):
        project.build(model)


def test_test_of_several_models_waits_for_all_of_them(project: ModelProject) -> None:
    for name in ("stg_days", "stg_sales"):
        project.write(f"staging/{name}.sql", "select 1 as day")
    project.write("tests/all_known.sql", "select * from {{ ref('sales') }} anti join staging.stg_days using (day)")
    model = project.mart("select * from {{ ref('stg_sales') }}")

    [test] = model.cross_tests
    assert test.reads == {"staging.stg_days"}


@pytest.mark.parametrize(
    ("config", "properties"),
    [
        ("{{ config(severity='warn') }}", "{name: few, description: Few.}"),
        ("", "{name: few, config: {severity: warn}}"),
    ],
)
def test_severity_is_in_the_file_or_its_yaml(project: ModelProject, config: str, properties: str) -> None:
    project.write("tests/few.sql", f"{config} select 1 from {{{{ ref('sales') }}}} having count(*) > 9")
    project.write("tests/tests.yml", f"data_tests: [{properties}]")

    [test] = project.mart("select 1 as day").data_tests
    assert test.severity == "warn"


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        pytest.param("select 1", "few.sql:1: the test reads no model: write a SELECT", id="no model"),
        pytest.param("select 1\nfrom {{ ref('a') }}", "few.sql:2: there is no model a: correct", id="no such model"),
    ],
)
def test_test_is_refused(project: ModelProject, sql: str, message: str) -> None:
    project.write("tests/few.sql", sql)

    with pytest.raises(ModelsRefused, match=message):
        project.mart("select 1 as day")
