"""Columns of models that hold personal data are known as such, however the SQL reads them."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from crm_assets.assets.attributes import table_columns
from crm_assets.privacy.applying import records_to_forget
from crm_assets.privacy.personal_columns import personal_columns
from crm_assets.runner.builds import build
from crm_assets.runner.lineage import known_columns
from crm_assets.warehouse.tables import columns_of
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.runner.model_project import ModelProject

MARK = "ann@example.com"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A contact with a marked address."""
    with duckdb.connect(tmp_path / "crm.duckdb") as connection:
        RawTables(connection).add("contacts", 1, email=MARK, lead_score=7)
        yield connection


@pytest.fixture
def project(tmp_path: Path) -> ModelProject:
    """A project in which People shows the contacts, in a schema and columns with capitals."""
    project = ModelProject(tmp_path / "models")
    people = "{{ config(schema='Staff') }} select id, email as EMail, lead_score as Score from raw.contacts"
    project.write("staging/People.sql", people)
    return project


def built(connection: duckdb.DuckDBPyConnection, project: ModelProject, sql: str) -> tuple[set[str], set[str]]:
    """The columns with the mark of a table that is built from `sql`, and those that are tagged as personal."""
    project.write("marts/Shown.sql", "{{ config(materialized='incremental') }}\n" + sql)
    models = project.models()
    for model in sorted(models.values(), key=lambda model: model.materialized, reverse=True):
        build(connection, model)
    personal = personal_columns(models["marts.shown"], known_columns(connection))
    shown = table_columns(columns_of(connection, "marts.shown").items(), {}, personal).columns
    marked = {
        column.name
        for column in shown
        if connection.execute(f"from marts.shown where contains(\"{column.name}\"::varchar, '{MARK}')").fetchall()
    }
    assert marked
    return marked, {column.name for column in shown if column.tags}


@pytest.mark.slow
@pytest.mark.parametrize(
    "sql",
    [
        'select id, email as "E-Mail", lead_score as Score from raw.contacts',
        "select * from {{ ref('People') }}",
        "select p.ID, eMAIL as x from {{ ref('People') }} as p join raw.won_deals as d on d.id <> p.id or true",
        "select ID, EMAIL as X from RAW.Contacts",
        "select id, list_transform([{'a': id}], s -> s.a) as ids, email from raw.contacts",
        "select id, count(*) as rows, max(email) as latest from raw.contacts group by id",
        "with recursive r as (select id, email from raw.contacts union select id, email from r) from r",
    ],
)
def test_columns_are_personal_only_if_they_show_an_address(
    connection: duckdb.DuckDBPyConnection, project: ModelProject, sql: str
) -> None:
    connection.execute("insert into raw.won_deals (id) values (5)")
    marked, personal = built(connection, project, sql)

    assert personal == marked


@pytest.mark.long
@pytest.mark.parametrize(
    "sql",
    [
        "select id, c as x from raw.contacts as c",
        "select id, to_json(c) as x from raw.contacts as c",
        "select id, email.upper().lower() as x from raw.contacts",
        "select id, columns('email') from raw.contacts",
        "select id, #2 as x from (select id, email from raw.contacts)",
        "select id, concat_ws(' ', *columns(*)) as x from (select id, email from raw.contacts)",
        "select id, upper(email).lower() from raw.contacts",
        "select id, value as x from (unpivot (select id, email from raw.contacts) on email into name name value value)",
        "pivot (select id, lead_score, email from raw.contacts) on lead_score in (7) using max(email) group by id",
        "select column_name, min as x from (summarize raw.contacts)",
        "select id, unnest({'x': email}) from raw.contacts",
        "select * from query('select id, email as x from raw.contacts')",
    ],
)
def test_columns_that_cannot_be_traced_are_personal(
    connection: duckdb.DuckDBPyConnection, project: ModelProject, sql: str
) -> None:
    marked, personal = built(connection, project, sql)

    assert personal >= marked


def test_history_that_cannot_be_traced_is_named(connection: duckdb.DuckDBPyConnection, project: ModelProject) -> None:
    built(connection, project, "pivot raw.contacts on lead_score in (7) using max(email) group by id")
    connection.close()

    warehouse = Warehouse(database=str(project.folder.parent / "crm.duckdb"))
    _, out_of_reach, _ = records_to_forget(warehouse, project.models().values(), "contacts", [1])
    assert out_of_reach == ["marts.shown"]
