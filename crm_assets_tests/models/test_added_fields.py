"""A field that the CRM adds may be called like any column of the models: it changes nothing there."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from crm_assets.api import ENDPOINTS
from crm_assets.loading.raw_tables import present_view
from crm_assets_tests.data_dirs import empty_database
from crm_assets_tests.models.raw_tables import SECOND, RawTables, models
from crm_assets_tests.models.times import utc

VALUES = {"text": "'planted'", "number": "5", "truth value": "true", "time": "timestamptz '2001-01-01'"}
FIRST_BUILD, SECOND_BUILD = "2026-03-08T03:30:00Z", "2026-03-09T03:30:00Z"
HISTORIES = [address for address in models() if address.startswith("snapshots.")]


def names_in_models() -> set[str]:
    """All names that the models give: of columns, steps, tables and parameters, and their columns' variants."""
    names = set()
    for model in models().values():
        names |= {name.lower() for name in model.columns}
        if model.path.suffix == ".sql":
            parsed = sqlglot.parse_one(model.sql, dialect="duckdb")
            names |= {found.name.lower() for found in parsed.find_all(exp.Column, exp.Table)}
            names |= {found.alias.lower() for found in parsed.find_all(exp.Alias, exp.TableAlias, exp.CTE)}
            names |= {
                parameter.name.lower() for found in parsed.find_all(exp.Lambda) for parameter in found.expressions
            }
    return {f"{name}{variant}" for name in names - {"", "*"} for variant in ("", "__v_text")}


@contextmanager
def a_crm(folder: Path, planted: str | None = None) -> Iterator[RawTables]:
    """A CRM with some of everything; each record has this value by every name that the models know."""
    folder.mkdir()
    with empty_database(folder) as connection:
        crm = RawTables(connection)
        fill(crm)
        for resource in ENDPOINTS if planted else ():
            known = {name for name, *_ in connection.execute(f"describe raw.{resource}").fetchall()}
            added = ", ".join(f'{planted} as "{name}"' for name in sorted(names_in_models() - known))
            connection.execute(f"create or replace table raw.{resource} as select *, {added} from raw.{resource}")
            connection.execute(present_view(connection, resource))
        yield crm


def fill(crm: RawTables) -> None:
    crm.add("accounts", 1, name="Acme", owner_id=7, last_contacted=utc("2026-01-05T10:00:00"))
    crm.add("accounts", 2, SECOND, name="Bolt", owner_id=8)
    crm.add("contacts", 11, sales_account_id=1, first_name="Ann", last_name="Bee", tags='["vip"]')
    crm.add("contacts", 12, sales_accounts='[{"id": 1}, {"id": 2, "is_primary": true}]')
    sold: dict[str, Any] = {"sales_account_id": 1, "owner_id": 7, "created_at": utc("2026-01-01T10:00:00")}
    crm.add("won_deals", 21, SECOND, closed_date=date(2026, 1, 31), amount=Decimal(100), **sold)
    crm.add("won_deals", 22, stage_updated_time=utc("2026-02-01T10:00:00"), base_currency_amount=Decimal(7), **sold)
    crm.add("open_tasks", 31, SECOND, owner_id=7, due_date=utc("2026-03-01T10:00:00"), targetable_id=11)
    crm.add("open_tasks", 32, targetables='[{"id": 1, "type": "SalesAccount"}]')
    held: dict[str, Any] = {
        "from_date": utc("2026-01-05T10:00:00"),
        "end_date": utc("2026-01-05T11:30:00"),
        "creater_id": 7,
    }
    crm.add("past_appointments", 41, targetables='[{"id": 11, "type": "Contact"}]', **held)
    crm.add("past_appointments", 42, is_allday=True, **held)
    crm.side_load("users", 7, display_name="Ada")
    crm.side_load("deal_stages", 8, name="Won")
    crm.side_load("deal_pipelines", 9, name="Standard")


def all_rows(crm: RawTables) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all models after a change of each kind."""
    set_clock(crm, FIRST_BUILD)
    crm.build(*HISTORIES)
    for resource in ("won_deals", "open_tasks"):
        crm.log(resource, SECOND)
    crm.change("accounts", 1, owner_id=8)
    set_clock(crm, SECOND_BUILD)
    crm.build()
    return {address: crm.connection.execute(f"from {address} order by all").fetchall() for address in models()}


def set_clock(crm: RawTables, instant: str) -> None:
    """Stops the clock: a macro of the database goes before DuckDB's own now()."""
    crm.connection.execute(f"create or replace macro main.now() as timestamptz '{instant}'")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    with a_crm(tmp_path_factory.mktemp("plain") / "data") as crm:
        rows = all_rows(crm)
    assert [address for address in rows if not rows[address]] == ["seeds.owner_targets"]
    return rows


def test_the_names_are_those_of_all_columns_and_steps() -> None:
    assert {"account_id", "held_at", "won_on", "created_on", "sent", "won_on__v_text"} <= names_in_models()


@pytest.mark.long
@pytest.mark.file
@pytest.mark.parametrize("planted", VALUES.values(), ids=VALUES)
def test_fields_called_like_columns_of_models_change_nothing(
    planted: str, expected: dict[str, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    with a_crm(tmp_path / "data", planted) as crm:
        found = all_rows(crm)

    for address, rows in expected.items():
        assert [*filter(is_not_about_fields, found[address])] == [*filter(is_not_about_fields, rows)], address


def is_not_about_fields(row: tuple[Any, ...]) -> bool:
    return row[0] not in {"fields that are not declared", "records with a value of another type"}
