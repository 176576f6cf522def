"""The checks of the raw assets. They run after each load, on the connection of the load.

Only a broken primary key keeps the models from being built. The others watch: whatever they find, the run
goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    get_dagster_logger,
)

from crm_assets.assets.raw_findings import (
    Finding,
    complete_read,
    declared_schema,
    no_rejected_records,
    primary_key,
    rows_match_source,
)
from crm_assets.warehouse.raw_tables import RAW


@dataclass(frozen=True)
class RawCheck:
    """One check, the same for every resource: how it is made, what holds when it passes, whether it blocks."""

    find: Callable[[duckdb.DuckDBPyConnection, str], Finding]
    description: str
    blocking: bool = False

    @property
    def name(self) -> str:
        """The check's name in Dagster."""
        return self.find.__name__


CHECKS = (
    RawCheck(primary_key, "Every row has an id, and no id occurs twice.", blocking=True),
    RawCheck(declared_schema, "The table has the declared columns with their types, and no others."),
    RawCheck(complete_read, "The last read came to its end: the API's last page, or what was loaded already."),
    RawCheck(rows_match_source, "The table shows as many rows as the API says that its list has."),
    RawCheck(no_rejected_records, "The last read could load every record."),
)


def check_specs(resource: str) -> list[AssetCheckSpec]:
    """The checks that a raw asset has."""
    key = AssetKey([RAW, resource])
    return [
        AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
        for check in CHECKS
    ]


def check_results(connection: duckdb.DuckDBPyConnection, resource: str) -> list[AssetCheckResult]:
    """What all checks of one raw table find. Never fails: a check that raises an error counts as failed."""
    return [_result(check, connection, resource) for check in CHECKS]


def _result(check: RawCheck, connection: duckdb.DuckDBPyConnection, resource: str) -> AssetCheckResult:
    try:
        finding = check.find(connection, resource)
    except Exception as error:  # noqa: BLE001 # is a finding, and no failure of the load
        get_dagster_logger().warning(f"{check.name} of {RAW}.{resource} could not be made: {error}")
        finding = Finding(False, f"could not be made: {error}")
    return AssetCheckResult(
        asset_key=AssetKey([RAW, resource]),
        check_name=check.name,
        passed=finding.passed,
        severity=AssetCheckSeverity.ERROR if check.blocking else AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata=finding.numbers,
    )
