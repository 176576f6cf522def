"""reports/sales_review: the results of a materialization."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dagster import (
    DagsterInstance,
    FloatMetadataValue,
    PathMetadataValue,
    TimestampMetadataValue,
    UrlMetadataValue,
    materialize,
)

from crm_assets.assets.reports import build_sales_review
from crm_assets.masking import know
from crm_assets.reports.tables import declared_tables
from crm_assets.settings import Crm
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.models.conftest import _tables, crm
from crm_assets_tests.models.raw_tables import RawTables, models

pytestmark = pytest.mark.slow

__all__ = ["_tables", "crm"]


def drawn(
    database: Path, instance: DagsterInstance | None = None, *, only_if_changed: bool = False, name: str = ""
) -> Any:
    op = "__".join(Crm(name).path("reports.sales_review"))
    return materialize(
        [build_sales_review(Crm(name), models().values())],
        resources={"crm_warehouse": Warehouse(database=str(database))},
        run_config={"ops": {op: {"config": {"only_if_changed": only_if_changed}}}},
        instance=instance or DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


@pytest.fixture
def database(crm: RawTables, data_dir: Path) -> Path:
    """A file with all models in it."""
    crm.add("accounts", 1, name="Acme")
    crm.add("won_deals", 1, amount=5, closed_date=datetime.now(timezone.utc).date(), sales_account_id=1)
    crm.build()
    data_dir.mkdir()
    path = data_dir / "sandbox.duckdb"
    crm.connection.execute(f"attach '{path}' as file")
    crm.connection.execute("copy from database memory to file")
    crm.connection.execute("detach file")
    return path


@pytest.mark.long
def test_the_page_is_for_its_owner_only(database: Path, data_dir: Path) -> None:
    assert drawn(database).success

    reports = data_dir / "reports"
    modes = {str(path.relative_to(reports)): path.stat().st_mode & 0o777 for path in reports.rglob("*")}
    files = {"sandbox_sales_review.html", *(f"sandbox_sales_review/{name}.csv" for name in declared_tables())}
    assert modes == {**dict.fromkeys(files, 0o600), "sandbox_sales_review": 0o700}
    assert "Acme" in (data_dir / "reports" / "sandbox_sales_review.html").read_text(encoding="utf-8")


def test_page_shows_no_configured_secret(database: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm_assets.masking._known", {})
    know("the CRM", {"Acme"})
    assert drawn(database).success

    for name in ("sandbox_sales_review.html", "sandbox_sales_review/customers.csv"):
        text = (data_dir / "reports" / name).read_text(encoding="utf-8")
        assert "Acme" not in text
        assert "***" in text


@pytest.mark.long
def test_the_ui_shows_the_path_and_the_numbers_only(database: Path, data_dir: Path) -> None:
    [event] = drawn(database).get_asset_materialization_events()
    metadata = dict(event.materialization.metadata)

    assert metadata.pop("page") == PathMetadataValue(data_dir / "reports" / "sandbox_sales_review.html")
    assert metadata["crm/accounts"].value == 1
    assert metadata.pop("crm/built").value is True
    assert metadata.pop("crm/version").value.startswith("0.1.0 ")
    assert {type(value) for value in metadata.values()} == {FloatMetadataValue, TimestampMetadataValue}


@pytest.mark.long
def test_each_crm_has_a_page_and_tables_of_its_own(
    database: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__NORTH__BASE_URL", "https://north.example.com")
    monkeypatch.setenv("SOURCES__NORTH__API_KEY", "k" * 32)
    assert drawn(database, name="north").success

    assert {path.name for path in (data_dir / "reports").iterdir()} == {"north_sales_review.html", "north_sales_review"}
    page = (data_dir / "reports" / "north_sales_review.html").read_text(encoding="utf-8")
    assert "from the CRM north." in page
    assert 'href="north_sales_review/owners.csv"' in page


def test_the_ui_links_to_a_page_that_is_served(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_REPORTS_URL", "https://reports.example.com/crm/")
    [event] = drawn(database).get_asset_materialization_events()

    address = "https://reports.example.com/crm/sandbox_sales_review.html"
    assert event.materialization.metadata["page"] == UrlMetadataValue(address)


@pytest.mark.long
def test_report_of_unchanged_tables_is_left_alone(
    database: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = data_dir / "reports" / "sandbox_sales_review.html"
    with DagsterInstance.ephemeral() as instance:

        def is_drawn(*, only_if_changed: bool) -> bool:
            run = drawn(database, instance, only_if_changed=only_if_changed)
            [event] = run.get_asset_materialization_events()
            return bool(event.materialization.metadata["crm/built"].value)

        assert is_drawn(only_if_changed=True)
        assert not is_drawn(only_if_changed=True)
        monkeypatch.setenv("CRM_CURRENCY", "eur")
        assert is_drawn(only_if_changed=True)
        with duckdb.connect(str(database)) as connection:
            connection.execute("insert into raw.sync_log values ('accounts', 'full', true, now(), 1, 0, 0, null, '1')")
        assert is_drawn(only_if_changed=True), "a list was read completely"
        assert is_drawn(only_if_changed=False)
        page.unlink()
        assert is_drawn(only_if_changed=True)


def test_report_without_models_says_what_to_do(data_dir: Path) -> None:
    data_dir.mkdir()
    path = data_dir / "sandbox.duckdb"
    with Warehouse(database=str(path)).get_connection():
        pass

    [failure] = drawn(path).get_step_failure_events()
    assert "materialize groups staging and marts first" in failure.step_failure_data.user_failure_data.description
