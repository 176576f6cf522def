"""Seeds: CSV files as tables, whose errors are reported with line and column."""

from datetime import date, datetime, timezone
from decimal import Decimal

import pytest

from crm_assets.errors import ModelError, ModelsRefused
from crm_assets.runner.model import Model
from crm_assets_tests.runner.model_project import ModelProject

TYPES = """
seeds:
  - name: targets
    config:
      column_types:
        month: date
        amount: decimal(18, 2)
"""


def targets(project: ModelProject, csv: str, properties: str = TYPES) -> Model:
    project.write("seeds/targets.csv", csv)
    project.write("seeds/seeds.yml", properties)
    return project.models()["seeds.targets"]


def test_a_csv_is_a_table_with_the_types_of_its_yaml(project: ModelProject) -> None:
    project.build(targets(project, 'month,amount,note\n2026-01-01,100.5,"a, ""b"""\n2026-02-01,,\n'))

    assert project.execute("from seeds.targets") == [
        (date(2026, 1, 1), Decimal("100.50"), 'a, "b"'),
        (date(2026, 2, 1), None, None),
    ]


def test_a_csv_alone_is_a_seed(project: ModelProject) -> None:
    project.write("seeds/targets.csv", "owner,amount\nann,5\n")
    project.build(project.models()["seeds.targets"])

    assert project.execute("from seeds.targets") == [("ann", 5)]


@pytest.mark.parametrize("value", ["12345678901234567890", "-9223372036854775809", "9" * 5000], ids=len)
def test_an_integer_of_more_than_64_bits_is_not_rounded(project: ModelProject, value: str) -> None:
    project.build(targets(project, f"id\n{value}\n1\n", "{}"))

    assert project.execute("from seeds.targets") == [(value,), ("1",)]


@pytest.mark.parametrize(("value", "type_"), [("-1999999999", "INTEGER"), ("3000000000", "BIGINT")])
def test_an_integer_has_the_type_that_dbt_gives_it(project: ModelProject, value: str, type_: str) -> None:
    project.build(targets(project, f"id\n{value}\n1\n", "{}"))

    assert project.execute("select distinct typeof(id) from seeds.targets") == [(type_,)]


OTHERS = ("2026/02/01", "2026.02.01", "10:30", "yes", "t", "0x10", "NaN", "007", "a#1")


@pytest.mark.slow
@pytest.mark.parametrize("value", ["01/02/2026", *OTHERS])
def test_a_value_that_may_mean_several_things_is_a_text(project: ModelProject, value: str) -> None:
    project.build(targets(project, f"note\n{value}\n", "{}"))

    assert project.execute("from seeds.targets") == [(value,)]


def test_a_time_with_a_zone_is_never_lost(project: ModelProject) -> None:
    project.build(targets(project, "a,b\n2026-01-05 10:00+02,2026-01-05 10:00:00+02\n", "{}"))

    assert project.execute("select a, epoch(b) from seeds.targets") == [
        ("2026-01-05 10:00+02", datetime(2026, 1, 5, 8, tzinfo=timezone.utc).timestamp())
    ]


@pytest.mark.parametrize("csv", ["", "a,A\n1,2\n"], ids=["empty", "twice"])
def test_a_header_without_a_name_for_each_column_is_refused(project: ModelProject, csv: str) -> None:
    with pytest.raises(ModelsRefused, match=r"targets\.csv:1: a column has no name of its own: write a header"):
        targets(project, csv, "{}")


def test_types_of_the_project_and_of_the_entry_add_up(project: ModelProject) -> None:
    project.write("dbt_project.yml", "name: crm\nseeds: {crm: {+schema: seeds, +column_types: {note: varchar}}}")

    assert targets(project, "month,amount,note\n").config["column_types"].keys() == {"month", "amount", "note"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("csv", "message"),
    [
        pytest.param(
            "month,amount\n2026-01-01,5\n2026-13-01,6\n",
            '3: Error when converting column "month": correct',
            id="date",
        ),
        pytest.param("month,amount\n01/02/2026,5\n", '2: Error when converting column "month"', id="two countries"),
        pytest.param("month,amount\n2026-01-01,x\n", '2: Error when converting column "amount"', id="number"),
        pytest.param("month,amount\n2026-01-01,5\n2026-02-01\n", "3: Expected Number .* 2 Found: 1", id="too few"),
        pytest.param('month,amount\n2026-01-01,5\n"2026-01-02,6\n', "3: Value with unterminated quote", id="quote"),
        pytest.param('month,amount\n2026-01-01,"5"6\n', "2: Value with unterminated quote", id="text after a quote"),
        pytest.param("month,amount\r\n2026-01-01,5\n", "1: .* Lines end in one way", id="line ends"),
        pytest.param("month,amount\n2026-01-01,5,6\n", "2: Expected Number of Columns: 2 Found: 3", id="too many"),
    ],
)
def test_an_error_names_line_and_column_and_the_table_stays(project: ModelProject, csv: str, message: str) -> None:
    project.build(targets(project, "month,amount\n2026-01-01,1\n"))

    for _ in range(2):
        with pytest.raises(ModelError, match=rf"targets\.csv:{message}"):
            project.build(targets(project, csv))
    assert project.execute("select amount from seeds.targets") == [(Decimal(1),)]


def test_a_type_of_a_column_that_is_not_there_is_refused(project: ModelProject) -> None:
    with pytest.raises(ModelsRefused, match=r"targets\.csv:1: there is no column amount: correct"):
        targets(project, "month,amonut\n2026-01-01,5\n")


def test_a_file_that_semicolons_separate_is_told_from_a_wrong_name(project: ModelProject) -> None:
    with pytest.raises(ModelsRefused, match=r"no column amount, month: .* commas separate: month;amount$"):
        targets(project, "month;amount\n2026-01-01;5\n")


def test_the_code_version_changes_with_the_file(project: ModelProject) -> None:
    before = targets(project, "month,amount\n2026-01-01,5\n").code_version

    assert targets(project, "month,amount\n2026-01-01,6\n").code_version != before
