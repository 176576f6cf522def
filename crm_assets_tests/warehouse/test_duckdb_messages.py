"""What users see of DuckDB's messages: names of tables and columns, no values of records."""

from pathlib import Path

import duckdb
import pytest
from dagster import Failure

from crm_assets.assets.failures import failures_explained
from crm_assets.errors import WarehouseError
from crm_assets.warehouse.duckdb_messages import is_about_statement, reason
from crm_assets.warehouse.warehouse import Warehouse

VALUES = """
create table people (id integer primary key, name varchar not null, age integer);
insert into people values (1, 'Anna O''Hara "the" Marker 4711', 4711);
"""

EVALUATED = [
    "select name::integer from people",
    "select name::date from people",
    "select name::timestamptz from people",
    "select name::decimal(9, 2) from people",
    "select name::uuid from people",
    "select name::struct(a integer) from people",
    "select name::integer[] from people",
    "select name::json from people",
    "select age::tinyint from people",
    "select age * 1000000 * age from people",
    "select make_date(age, 99, 99) from people",
    "select strptime(name, '%Y') from people",
    "select json_extract(name, '$.a') from people",
    "select error(name) from people",
    "select regexp_matches(name, name || '(') from people",
    "select date_part(name, now()) from people",
    "select from_base64(name) from people",
    "insert into people select * from people",
    "select 'Marker 4711'::integer",
    "select * from range(1) limit 'Marker'",
]


@pytest.mark.slow
@pytest.mark.parametrize("sql", EVALUATED)
def test_values_are_masked_in_duckdb_messages(sql: str) -> None:
    shown = reason(_raised(sql))
    assert shown
    for value in ("Anna", "Hara", "Marker", "4711"):
        assert value not in shown


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("select nope from people", 'Binder Error: Referenced column "nope" not found'),
        ("select 1 from nope", "Catalog Error: Table with name nope does not exist"),
        ("selekt 1", 'Parser Error: syntax error at or near "selekt"'),
        (
            "create table notes (id integer references people); create or replace table people (i int)",
            'Dependency Error: Cannot drop entry "people" because there are entries that depend on it. table "notes"',
        ),
    ],
    ids=["binder", "catalog", "parser", "dependency"],
)
def test_errors_of_statements_are_shown(sql: str, shown: str) -> None:
    error = _raised(sql)
    assert is_about_statement(error)
    assert reason(error).startswith(shown)


def test_a_type_that_cannot_be_stored_is_named(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection, pytest.raises(duckdb.Error) as raised:
        connection.execute("create table t as select 1::variant as x")
    assert reason(raised.value).startswith("Invalid Input Error: VARIANT columns are not supported")
    assert "unnamed struct" in reason(_raised("create table t as select row(1, 2) as x"))


@pytest.mark.parametrize("kept", ["to INT32 when casting from source column name", "Conversion Error"])
def test_a_masked_message_still_names_the_column(kept: str) -> None:
    assert kept in reason(_raised("select name::integer from people"))


def _raised(sql: str) -> duckdb.Error:
    with duckdb.connect() as connection:
        connection.execute(VALUES)
        with pytest.raises(duckdb.Error) as raised:
            connection.execute(sql).fetchall()
    return raised.value


def test_tables_whose_foreign_keys_cannot_be_copied_are_named(tmp_path: Path) -> None:
    warehouse, numbers = Warehouse(database=str(tmp_path / "crm.duckdb")), range(1, 9)
    with warehouse.get_connection() as connection:  # in one order of many DuckDB would copy them
        connection.execute("create table t0 as select 1 as i; alter table t0 add primary key (i)")
        for n in numbers:
            connection.execute(
                f"create table t{n} (i int primary key references t{n - 1}); insert into t{n} values (1)"
            )
    with pytest.raises(WarehouseError, match=f"run this again: {', '.join(f'main.t{n}' for n in numbers)}$"):
        warehouse.erase(lambda _: None)
    with warehouse.get_connection() as connection:
        for n in reversed(numbers):
            connection.execute(f"create or replace table t{n} as from t{n}")

    warehouse.erase(lambda _: None)

    with warehouse.read_connection() as connection:
        assert connection.execute("from t0, t8").fetchall() == [(1, 1)]


def test_advice_about_memory_names_the_setting() -> None:
    said = "Out of Memory Error: failed to allocate data (9 MiB/9 MiB used)"
    with pytest.raises(Failure) as failed, failures_explained("raw.accounts"):
        raise duckdb.OutOfMemoryException(f"{said}\n\nPossible solutions:\n* Reducing the number of threads")
    assert not failed.value.allow_retries
    assert failed.value.description == (
        f"raw.accounts: {said}. Raise CRM_MEMORY_LIMIT, or give the machine more memory"
    )
