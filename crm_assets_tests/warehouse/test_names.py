"""Names and values keep their meaning in SQL, whatever characters they have."""

from datetime import date
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_assets.warehouse.tables import existing_tables, identifier, literal, relation

# DuckDB takes no null character in a statement.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def answer(query: str) -> Any:
    [[value]] = duckdb.sql(query).fetchall()
    return value


@given(TEXTS)
def test_any_text_is_a_literal(text: str) -> None:
    assert answer(f"select {literal(text)}") == text


@given(TEXTS)
def test_any_text_is_a_name(text: str) -> None:
    assert answer(f"select {identifier('row', text)} from (select 1 as {identifier(text)}) as {identifier('row')}") == 1


@pytest.mark.parametrize("schema", ["raw", "of.a.user", "Of.A.User"])
def test_address_of_an_existing_table_leads_to_it(schema: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"create schema {identifier(schema)}")
        connection.execute(f"create table {identifier(schema, 'a.b')} as select 7")
        [address] = existing_tables(connection)
        assert connection.execute(f"from {relation(address)}").fetchall() == [(7,)]


@pytest.mark.parametrize("value", [True, None, 7, 1.5, date(2026, 5, 1)])
def test_values_are_literals(value: Any) -> None:
    assert answer(f"select {literal(value)}") == value
