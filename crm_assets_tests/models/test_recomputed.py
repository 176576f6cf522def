"""All columns of all marts on the sandbox's records, against a count in plain Python."""

import duckdb
import pytest

from crm_assets_tests.models.raw_tables import models
from crm_assets_tests.models.reckoning import Record
from crm_assets_tests.models.sandbox_states import comparable

MARTS = sorted(address.removeprefix("marts.") for address in models() if address.startswith("marts."))


@pytest.mark.slow
@pytest.mark.file
@pytest.mark.parametrize("mart", MARTS)
def test_all_columns_are_those_of_a_count_in_python(
    built: tuple[duckdb.DuckDBPyConnection, dict[str, list[Record]]], mart: str
) -> None:
    connection, expected = built
    found = connection.execute(f"from marts.{mart}").fetch_arrow_table().to_pylist()
    found = [row for row in found if row.get("check_name") != "fields that are not declared"]

    assert {*found[0]} == {*expected[mart][0]}
    assert sorted(map(comparable, found)) == sorted(map(comparable, expected[mart]))
