"""The CSV files beside the sales review: numbers as numbers, and texts that no spreadsheet runs."""

import csv
import io
from decimal import Decimal

import pytest

from crm_assets.reports.page import csv_text
from crm_assets.reports.tables import Column, Table, tables_of
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.reports.drawn import reviewed, today
from crm_assets_tests.reports.invented import HOSTILE

pytestmark = pytest.mark.slow


def test_texts_in_csv_files_are_not_formulas(busy: RawTables) -> None:
    [_, *rows] = csv.reader(io.StringIO(csv_text(tables_of(reviewed(busy))["customers"])))

    shown = [row[0] for row in rows]
    assert shown[3:6] == ["'=1+1", "'@SUM(A1)", "'-2"]
    assert shown[0] == HOSTILE[0]


@pytest.mark.parametrize("text", ["\n=1+1", "\uff1d1+1", "\uff0b1", "\uff0d2", "\uff20SUM(A1)"])
def test_texts_in_csv_files_are_no_formulas_of_wide_signs(text: str) -> None:
    table = Table("names", "Names", [Column("name", "name", "text")], [{"name": text}])
    assert list(csv.reader(io.StringIO(csv_text(table))))[1] == [f"'{text}"]


def test_negative_amounts_in_csv_files_are_numbers(crm: RawTables) -> None:
    crm.add("won_deals", 1, amount=-50, closed_date=today(), owner_id=1)

    [_, *rows] = csv.reader(io.StringIO(csv_text(tables_of(reviewed(crm))["months"])))
    assert rows[-1][1] == "-50"


@pytest.mark.parametrize("share", ["-0", "-0.00004"])
def test_share_that_rounds_to_nothing_has_no_sign_in_csv(share: str) -> None:
    table = Table("types", "", [Column("share", "share", "share")], [{"share": Decimal(share)}])

    assert list(csv.reader(io.StringIO(csv_text(table))))[1] == ["0"]
