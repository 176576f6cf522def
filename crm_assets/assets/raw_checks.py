"""The checks of the raw assets.

Only a broken primary key keeps the models from being built. The others watch: whatever they find, the run
goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import duckdb
from dagster import (
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    Failure,
    get_dagster_logger,
    multi_asset_check,
)

from crm_assets.assets.raw_findings import (
    Finding,
    declared_schema,
    no_rejected_records,
    primary_key,
    rows_match_source,
)
from crm_assets.resources.loading import RAW
from crm_assets.resources.warehouse import Warehouse
from crm_assets.resources.writer_lock import WarehouseBusy
from crm_assets.source.endpoints import ENDPOINTS


@dataclass(frozen=True)
class RawCheck:
    """One check, the same for every resource: what it looks at, what holds when it passes, whether it blocks."""

    look: Callable[[duckdb.DuckDBPyConnection, str], Finding]
    description: str
    blocking: bool = False

    @property
    def name(self) -> str:
        """The check's name in Dagster."""
        return self.look.__name__


CHECKS = (
    RawCheck(primary_key, "Every row has an id, and no id occurs twice.", blocking=True),
    RawCheck(declared_schema, "The table has the declared columns with their types, and no others."),
    RawCheck(rows_match_source, "The table shows as many rows as the API says that its list has."),
    RawCheck(no_rejected_records, "The last read could load every record."),
)


def raw_checks(resource: str) -> AssetChecksDefinition:
    """All checks of one raw asset, in one op that opens the warehouse once."""
    key = AssetKey([RAW, resource])

    @multi_asset_check(
        name=f"{RAW}__{resource}__checks",
        specs=[
            AssetCheckSpec(check.name, asset=key, description=check.description, blocking=check.blocking)
            for check in CHECKS
        ],
    )
    def look(warehouse: Warehouse) -> Iterator[AssetCheckResult]:
        try:
            with warehouse.get_connection(read_only=True) as connection:
                results = [_result(check, connection, resource) for check in CHECKS]
        except (WarehouseBusy, FileNotFoundError) as error:
            raise Failure(description=str(error), allow_retries=False) from None
        yield from results

    return look


def _result(check: RawCheck, connection: duckdb.DuckDBPyConnection, resource: str) -> AssetCheckResult:
    try:
        finding = check.look(connection, resource)
    except Exception as error:
        if check.blocking:
            raise
        get_dagster_logger().warning(f"{check.name} of {RAW}.{resource} could not look: {error}")
        finding = Finding(False, f"could not look: {error}")
    return AssetCheckResult(
        asset_key=AssetKey([RAW, resource]),
        check_name=check.name,
        passed=finding.passed,
        severity=AssetCheckSeverity.ERROR if check.blocking else AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata=finding.numbers,
    )


RAW_CHECKS = [raw_checks(resource) for resource in ENDPOINTS]
