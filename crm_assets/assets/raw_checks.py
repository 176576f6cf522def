"""The asset checks of the raw assets. They run after each load, on its connection.

Only a broken primary key blocks the models. All other checks warn, or fail if too many rows would vanish at once.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import dagster as dg
import duckdb

from crm_assets.assets.attributes import asset_key
from crm_assets.assets.failures import explain
from crm_assets.assets.raw_findings import (
    CheckedTable,
    Finding,
    complete_read,
    declared_schema,
    no_rejected_records,
    primary_key,
    rows_match_source,
)
from crm_assets.assets.table_metadata import masked_metadata
from crm_assets.masking import masked
from crm_assets.settings import Crm
from crm_assets.warehouse.names import RAW
from crm_assets.warehouse.transactions import Commits


@dataclass(frozen=True)
class RawCheck:
    """One check, the same for every resource: its function, its description, and whether it blocks the models."""

    find: Callable[[CheckedTable], Finding]
    description: str
    blocking: bool = False

    @property
    def name(self) -> str:
        """The check's name in Dagster."""
        return self.find.__name__


CHECKS = (
    RawCheck(primary_key, "Every row has an id, and no id occurs twice.", blocking=True),
    RawCheck(declared_schema, "The table has exactly the declared columns, with their types."),
    RawCheck(complete_read, "The last read reached its end: the API's last page, or records that were already loaded."),
    RawCheck(rows_match_source, "The table has as many rows, without vanished ones, as the API counts in its list."),
    RawCheck(no_rejected_records, "The last read loaded every record."),
)


def check_specs(crm: Crm, resource: str) -> list[dg.AssetCheckSpec]:
    """The check specs of a raw asset."""
    key = asset_key(crm, f"{RAW}.{resource}")
    return [
        dg.AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
        for check in CHECKS
    ]


def check_results(connection: duckdb.DuckDBPyConnection, crm: Crm, resource: str) -> list[dg.AssetCheckEvaluation]:
    """The results of all checks of one raw table. Never raises: a check that raises an error has failed."""
    table = CheckedTable(connection, resource)
    return [_result(check, table, crm) for check in CHECKS]


def _result(check: RawCheck, table: CheckedTable, crm: Crm) -> dg.AssetCheckEvaluation:
    try:
        finding = check.find(table)
    except Exception as error:  # noqa: BLE001 # a failed check, not a failed load
        with suppress(duckdb.Error):  # an error can end the transaction, in which no further check could be run
            table.connection.rollback()
        reason = explain(error, table.resource, Commits()).message
        dg.get_dagster_logger().warning(f"Check {check.name} of {RAW}.{table.resource} could not be run: {reason}")
        finding = Finding(False, f"could not be run: {reason}")
    return dg.AssetCheckEvaluation(
        asset_key(crm, f"{RAW}.{table.resource}"),
        check.name,
        finding.passed,
        masked_metadata(finding.numbers),
        severity=dg.AssetCheckSeverity.ERROR if check.blocking or finding.severe else dg.AssetCheckSeverity.WARN,
        description=masked(finding.sentence),
        blocking=check.blocking,
    )
