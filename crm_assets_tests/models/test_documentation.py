"""Every model documents its grain and exactly the columns that it has."""

import re

import pytest

from crm_assets.reports.figures import queries
from crm_assets.runner.model import Model
from crm_assets_tests.models.raw_tables import RawTables, models

VARIABLES = {"reporting_timezone": "UTC", "fiscal_year_start": 1}

OF_AN_EMPTY_CRM = {"marts.data_quality": 12, "marts.pipeline_health_daily": 1}
"""Mart -> rows: checks of nothing, and a day without anything."""

every_model = pytest.mark.parametrize("model", models().values(), ids=models().keys())


@every_model
def test_a_models_description_begins_with_its_grain(model: Model) -> None:
    assert model.description.startswith("One row ")


@pytest.mark.long
@every_model
def test_a_model_of_an_empty_crm_has_the_documented_columns(crm: RawTables, model: Model) -> None:
    """A mart can be built of nothing as well."""
    rows = crm.rows(model.address, "1")

    described = crm.connection.execute(f"describe {model.this}").fetchall()
    assert [row[0] for row in described] == list(model.columns)
    if model.address.startswith("marts."):
        assert len(rows) == OF_AN_EMPTY_CRM.get(model.address, 0)


@every_model
def test_a_models_key_is_tested(model: Model) -> None:
    keys = {"primary_key", "unique", "unique_combination_of_columns"}
    assert keys & {test.kind for test in model.data_tests if test.blocks}


def test_no_query_has_a_window_over_all_rows() -> None:
    """Threads of DuckDB 1.5.5 race in it (docs/decisions.md)."""
    sql = {**queries()}
    for address, model in models().items():
        if model.materialized != "seed":
            sql[address] = model.select(VARIABLES, keep_rows=False)
        sql |= {f"{address}, {t.name}": t.query(model.scope(VARIABLES), model.this) for t in model.data_tests}
    assert [name for name, query in sql.items() if re.search(r"over\s*\(\s*\)", query, re.IGNORECASE)] == []
