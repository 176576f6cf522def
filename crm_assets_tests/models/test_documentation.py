"""Every model documents its grain and exactly the columns that it has."""

import pytest

from crm_assets.runner.model import Model
from crm_assets_tests.models.raw_tables import RawTables, models

OF_AN_EMPTY_CRM = {"marts.data_quality": 12, "marts.pipeline_health_daily": 1}
"""Mart -> rows: checks of nothing, and a day without anything."""

every_model = pytest.mark.parametrize("model", models().values(), ids=models().keys())


@every_model
def test_a_models_description_begins_with_its_grain(model: Model) -> None:
    assert model.description.startswith("One row ")


@pytest.mark.slow
@pytest.mark.long
@every_model
def test_documented_columns_are_those_of_the_table_in_order(crm: RawTables, model: Model) -> None:
    crm.build(model.address)

    described = crm.connection.execute(f"describe {model.relation}").fetchall()
    assert [row[0] for row in described] == list(model.columns)


@every_model
def test_a_models_key_is_tested(model: Model) -> None:
    keys = {"primary_key", "unique", "unique_combination_of_columns"}
    assert keys & {test.kind for test in model.data_tests if test.blocks}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("address", [address for address in models() if address.startswith("marts.")])
def test_a_mart_of_an_empty_crm_is_built(crm: RawTables, address: str) -> None:
    rows = crm.rows(address, "1")

    assert len(rows) == OF_AN_EMPTY_CRM.get(address, 0)
