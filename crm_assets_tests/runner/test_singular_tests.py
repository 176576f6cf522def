"""Singular tests: a SELECT in a file of its own, for rows that should not be."""

import pytest

from crm_assets.errors import ModelsRefused
from crm_assets_tests.runner.model_project import ModelProject


def test_a_test_belongs_to_the_model_that_it_reads(project: ModelProject) -> None:
    project.write("tests/no_sale_on_day_two.sql", "select day from marts.sales where day = 2;\n")
    model = project.mart("select 1 as day")

    [test] = model.own_tests
    assert (test.name, test.blocks) == ("no_sale_on_day_two", True)
    assert test.arguments["sql"] == "select day from marts.sales where day = 2"


def test_a_test_of_several_models_waits_for_all_of_them(project: ModelProject) -> None:
    project.write("staging/stg_days.sql", "select 1 as day")
    project.write("tests/all_known.sql", "select * from marts.sales anti join staging.stg_days using (day)")
    model = project.mart("select 1 as day")

    [test] = model.cross_tests
    assert test.reads == {"staging.stg_days"}


def test_its_yaml_tells_severity_and_description(project: ModelProject) -> None:
    project.write("tests/few.sql", "select 1 from marts.sales having count(*) > 9")
    project.write("tests/tests.yml", "data_tests: [{name: few, description: Few., config: {severity: warn}}]")

    [test] = project.mart("select 1 as day").data_tests
    assert (test.severity, test.description) == ("warn", "Few.")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        pytest.param("select 1", "few.sql:1: the test reads no model: write from schema.table", id="no model"),
        pytest.param("delete from marts.sales", "few.sql:1: the file has no SELECT", id="no SELECT"),
        pytest.param("select 1\nfrom {{ ref('a') }}", "few.sql:2: dbt's ref cannot be used here: write", id="template"),
    ],
)
def test_a_test_is_refused(project: ModelProject, sql: str, told: str) -> None:
    project.write("tests/few.sql", sql)

    with pytest.raises(ModelsRefused, match=told):
        project.mart("select 1 as day")
