"""The checks of the raw assets: what they find, report and block."""

from pathlib import Path

import pytest
from dagster import AssetCheckSeverity, AssetKey, AssetSelection, DagsterInstance, ExecuteInProcessResult, materialize

from crm_assets.api import ENDPOINTS
from crm_assets.assets.models import build_model_assets
from crm_assets.assets.raw import build_raw_assets
from crm_assets.assets.raw_checks import (
    CHECKS,
    CheckedTable,
    declared_schema,
    no_rejected_records,
    primary_key,
    rows_match_source,
)
from crm_assets.runner.loading import load_models
from crm_assets.settings import Crm
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.models.raw_tables import FIRST, SECOND, RawTables


def log(tables: RawTables, load: str, mode: str = "full", *, in_source: int | None, complete: bool = True) -> None:
    tables.log("open_tasks", load, mode, complete=complete)
    tables.connection.execute("update raw.sync_log set rows_in_source = ? where _dlt_load_id = ?", [in_source, load])


def test_the_declared_columns_are_no_drift(tables: RawTables) -> None:
    found = {resource: declared_schema(CheckedTable(tables.connection, resource)).passed for resource in ENDPOINTS}
    assert found == dict.fromkeys(ENDPOINTS, True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            "add column due_date__v_text varchar", "values of another type, kept in: due_date__v_text", id="variant"
        ),
        pytest.param("add column mood varchar", "not declared: mood", id="new field"),
        pytest.param("drop column title", "declared, but not in the table: title", id="column gone"),
        pytest.param("alter column status type varchar", "of another type than declared: status (VARCHAR)", id="type"),
    ],
)
def test_schema_drift_is_reported(tables: RawTables, change: str, sentence: str) -> None:
    tables.connection.execute(f"alter table raw.open_tasks {change}")

    finding = declared_schema(CheckedTable(tables.connection, "open_tasks"))
    assert not finding.passed
    assert finding.sentence.startswith(sentence)


def test_ids_of_their_own_make_a_primary_key(tables: RawTables) -> None:
    tables.add("open_tasks", 1)
    tables.add("open_tasks", 2)

    assert primary_key(CheckedTable(tables.connection, "open_tasks")).passed


def test_a_missing_or_repeated_id_makes_none(tables: RawTables) -> None:
    tables.connection.execute("alter table raw.open_tasks alter column id drop not null")
    for id_ in (1, 1, None):
        tables.connection.execute("insert into raw.open_tasks (id) values (?)", [id_])

    finding = primary_key(CheckedTable(tables.connection, "open_tasks"))
    assert not finding.passed
    assert finding.sentence.startswith("rows without id: 1, rows that repeat another's id: 1")


@pytest.mark.parametrize(
    ("in_source", "passed", "sentence"),
    [
        pytest.param(1, True, "1 row, as the API counts", id="equal"),
        pytest.param(None, True, "the API does not count", id="no total"),
        pytest.param(2, False, "1 row, but the API counts 2", id="fewer"),
        pytest.param(0, False, "1 row, but the API counts 0", id="more"),
    ],
)
def test_rows_seen_by_a_full_read_are_compared(
    tables: RawTables, in_source: int | None, passed: bool, sentence: str
) -> None:
    tables.add("open_tasks", 1, FIRST)  # vanished
    tables.add("open_tasks", 2, SECOND)
    log(tables, SECOND, in_source=in_source)

    finding = rows_match_source(CheckedTable(tables.connection, "open_tasks"))
    assert (finding.passed, finding.sentence.startswith(sentence)) == (passed, True)


@pytest.mark.parametrize(
    ("in_source", "passed", "sentence"),
    [
        pytest.param(2, True, "2 rows, as the API counts", id="equal"),
        pytest.param(1, True, "2 rows, 1 more than the API counts", id="fewer in the list"),
        pytest.param(3, False, "2 rows, but the API counts 3", id="more in the list"),
    ],
)
def test_incremental_read_may_leave_rows_over(tables: RawTables, in_source: int, passed: bool, sentence: str) -> None:
    tables.add("open_tasks", 1, FIRST)
    tables.add("open_tasks", 2, SECOND)
    log(tables, FIRST, in_source=1)
    log(tables, SECOND, "incremental", in_source=in_source)

    finding = rows_match_source(CheckedTable(tables.connection, "open_tasks"))
    assert (finding.passed, finding.sentence.startswith(sentence)) == (passed, True)


def reject(tables: RawTables, load: str) -> None:
    tables.connection.execute(
        "insert into raw.rejected_records (resource, page, reason, record, _dlt_load_id) "
        "values ('open_tasks', 1, 'no id', '{\"title\": \"Call Ann\"}', ?)",
        [load],
    )


def test_rejected_records_are_reported_by_reason_and_never_shown(tables: RawTables) -> None:
    log(tables, FIRST, in_source=None)
    reject(tables, FIRST)
    reject(tables, FIRST)

    finding = no_rejected_records(CheckedTable(tables.connection, "open_tasks"))
    assert (finding.passed, finding.numbers) == (False, {"no id": 2})
    assert "Ann" not in finding.sentence


def test_records_set_aside_by_an_earlier_read_are_history(tables: RawTables) -> None:
    reject(tables, FIRST)
    log(tables, FIRST, in_source=None)
    log(tables, SECOND, in_source=None)

    assert no_rejected_records(CheckedTable(tables.connection, "open_tasks")).passed


def run(tables: RawTables, database: Path) -> ExecuteInProcessResult:
    """Runs the checks of open tasks and builds their staging model, on the tables as they are."""
    tables.connection.execute(
        f"attach '{database}' as warehouse; copy from database memory to warehouse; detach warehouse"
    )
    staging = AssetKey(["staging", "stg_open_tasks"])
    selection = AssetSelection.assets(staging) | AssetSelection.checks_for_assets(AssetKey(["raw", "open_tasks"]))
    models = load_models()
    with DagsterInstance.ephemeral() as instance:
        return materialize(
            [*build_raw_assets(Crm(), ENDPOINTS), *build_model_assets(Crm(), models)],
            selection=selection,
            resources={
                "crm_warehouse": Warehouse(database=str(database)),
                "crm_connection": None,
            },
            instance=instance,
            raise_on_error=False,
        )


def built(result: ExecuteInProcessResult) -> bool:
    return bool(result.get_asset_materialization_events())


@pytest.mark.slow
def test_a_broken_primary_key_keeps_the_models_from_being_built(tables: RawTables, tmp_path: Path) -> None:
    tables.add("open_tasks", 1)
    tables.add("open_tasks", 1)

    result = run(tables, tmp_path / "warehouse.duckdb")
    assert (result.success, built(result)) == (False, False)


@pytest.mark.slow
def test_a_check_that_only_observes_fails_no_run(tables: RawTables, tmp_path: Path) -> None:
    tables.connection.execute(
        "drop table raw.rejected_records; drop table raw.sync_details; "
        "alter table raw.open_tasks add column mood varchar"
    )
    tables.add("open_tasks", 1)
    log(tables, FIRST, in_source=9)

    result = run(tables, tmp_path / "warehouse.duckdb")
    assert (result.success, built(result)) == (True, True)
    raw = [check for check in result.get_asset_check_evaluations() if check.asset_key.path[0] == "raw"]
    assert {check.check_name: check.passed for check in raw} == {find.__name__: find is primary_key for find in CHECKS}
    assert {check.severity for check in raw if not check.passed} == {AssetCheckSeverity.WARN}
