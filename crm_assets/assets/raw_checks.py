"""The asset checks of the raw assets, from the raw table and the sync log. They run after each load, on its connection.

Only a broken primary key blocks the models. All other checks warn, or fail if too many rows would vanish at once.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import dagster as dg
import duckdb

from crm_assets.assets.attributes import asset_key, masked_metadata
from crm_assets.assets.failures import explain
from crm_assets.errors import counted
from crm_assets.loading.changes import unconfirmed
from crm_assets.loading.raw_tables import DUCKDB_TYPES, own_columns, raw_table
from crm_assets.masking import masked
from crm_assets.privacy.forgetting import listed_but_forgotten
from crm_assets.settings import Crm, EndpointSettings, setting_at_load, setting_name
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import MAX_REJECTED
from crm_assets.source.typing.columns import FURTHER, varies
from crm_assets.warehouse.tables import PRESENT, RAW, exist, relation, statements_of

SQL = statements_of(__file__)

SHOWN_FIELDS = 20
SHOWN_LENGTH = 60


@dataclass(frozen=True)
class Finding:
    """The finding of a check on a raw table. `numbers` become metadata. `severe`: an error, not a warning."""

    passed: bool
    sentence: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    severe: bool = False


@dataclass(frozen=True)
class LastRead:
    """The last read of a resource in the sync log. `because`: why it is incomplete. `in_source`: as the API counts."""

    load_id: str
    mode: str
    complete: bool
    because: str | None
    in_source: int | None


@dataclass(frozen=True)
class CheckedTable:
    """What the checks look at.

    Attributes:
        connection: The warehouse.
        resource: The resource of the raw table.
        total_is_exact: Its setting: false if the API counts more records than it lists.
    """

    connection: duckdb.DuckDBPyConnection
    resource: str
    total_is_exact: bool = True

    @cached_property
    def last_read(self) -> LastRead | None:
        """None if it was not read yet."""
        found = self.connection.execute(SQL["last_read"], [self.resource]).fetchone()
        return LastRead(*found) if found else None


def primary_key(table: CheckedTable) -> Finding:
    """Whether every row has an `id`, and no two rows have the same."""
    [[rows, with_id, ids]] = table.connection.execute(
        f"select count(*), count(id), count(distinct id) from {raw_table(table.resource)}"
    ).fetchall()
    numbers = {"rows without id": rows - with_id, "rows that repeat another's id": with_id - ids}
    if rows == ids:
        return Finding(True, f"{counted(rows, 'row')}, each with a unique id", numbers)
    listed = ", ".join(f"{what}: {count}" for what, count in numbers.items())
    remedy = f"Delete these rows from {RAW}.{table.resource}, then materialize this asset in mode full"
    return Finding(False, f"{listed}. The models are not built. {remedy}, which loads them again from the CRM", numbers)


def declared_schema(table: CheckedTable) -> Finding:
    """Whether the table has exactly the declared columns, with their types."""
    declared = resource_schema(table.resource).columns
    found = own_columns(table.connection, table.resource)
    variants = [name for name in found if varies(name) in declared]
    drift = {
        "values of another type, kept in": variants,
        "not declared": [name for name in found if name not in declared and name not in {FURTHER, *variants}],
        f"not declared, in {FURTHER}": _further_fields(table) if FURTHER in found else [],
        "declared, but not in the table": [name for name in declared if name not in found],
        "of another type than declared": [
            f"{name} ({found[name]})"
            for name, column in declared.items()
            if name in found and found[name] != DUCKDB_TYPES[column.data_type]
        ],
    }
    left_out = _dropped_fields(table)
    drift["not declared, and left out"] = left_out
    numbers = {what: len(names) for what, names in drift.items() if names}
    if not numbers:
        return Finding(True, f"exactly the {len(declared)} declared columns")
    listed = "; ".join(f"{what}: {_shown(names)}" for what, names in drift.items() if names)
    allowed = f", or list undeclared fields that hold no personal data in {setting_name('personal_data_allowed')}"
    advice = f"Compare with source/schemas/{table.resource}.yaml, and declare the columns to keep"
    return Finding(False, f"{listed}. {advice}{allowed if left_out else ''}", numbers)


def _further_fields(table: CheckedTable) -> list[str]:
    """Fields without a column."""
    fields = f"select distinct unnest(json_keys({FURTHER})) from {raw_table(table.resource)} order by 1"
    return [field for (field,) in table.connection.execute(fields).fetchall()]


def _dropped_fields(table: CheckedTable) -> list[str]:
    """Fields that the last read left out; none in a database of an earlier release."""
    if table.last_read is None or not exist(table.connection, f"{RAW}.dropped_fields"):
        return []
    dropped = table.connection.execute(SQL["dropped"], [table.resource, table.last_read.load_id]).fetchall()
    return [field for (field,) in dropped]


def _shown(names: list[str]) -> str:
    shown = [name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…" for name in names[:SHOWN_FIELDS]]
    return ", ".join(shown) + (f" and {len(names) - SHOWN_FIELDS} more" if len(names) > SHOWN_FIELDS else "")


def rows_match_source(table: CheckedTable) -> Finding:
    """Whether the table has as many rows, without vanished ones, as the API counts in its list.

    Incremental reads cannot detect vanished records, so there may be more rows until the next complete full read.
    """
    last = table.last_read
    if last is None or last.in_source is None:
        return Finding(True, "the API does not count its records, or counts fewer than it lists")
    in_source, view = last.in_source, relation(f"{PRESENT}.{table.resource}")
    [[present]] = table.connection.execute(f"select count(*) from {view}").fetchall()
    forgotten = listed_but_forgotten(table.connection, table.resource)
    numbers = {"rows": present, "rows in source": in_source} | ({"forgotten rows": forgotten} if forgotten else {})
    in_source -= forgotten
    rows = counted(present, "row")
    if present == in_source:
        return Finding(True, f"{rows}, as the API counts", numbers)
    if last.mode == "incremental" and present > in_source:
        more = f"{rows}, {present - in_source:,} more than the API counts: these may have vanished from the list"
        return Finding(True, f"{more}. The next full read will show it", numbers)
    if not table.total_is_exact and present < in_source:
        return Finding(True, f"{rows}. The API counts {in_source:,}, also some that it does not list", numbers)
    other = f"{rows}, but the API counts {in_source:,}. If the list changed during the read, the next read corrects it"
    return Finding(False, f"{other}. Otherwise materialize in mode full and look at crm/complete", numbers)


def complete_read(table: CheckedTable) -> Finding:
    """Whether the last read reached its end. An incomplete read marks no record as vanished.

    The finding is severe if too many rows would vanish at once.
    """
    last = table.last_read
    if last is None:
        return Finding(True, "not read yet")
    if last.complete:
        return Finding(True, f"the last read ({last.mode}) is complete")
    sentence = f"the last read ({last.mode}) is incomplete: {last.because}. No row is hidden because of it"
    doubted = unconfirmed(table.connection, table.resource)
    numbers = {"rows shown": doubted.rows, "rows missing": doubted.missing} if doubted else {}
    return Finding(False, sentence, numbers, severe=doubted is not None)


def no_rejected_records(table: CheckedTable) -> Finding:
    """Whether the last read loaded every record. The finding has reasons and counts, never a record."""
    last = table.last_read
    found = table.connection.execute(SQL["rejected"], [table.resource, last.load_id]).fetchall() if last else []
    if not found:
        return Finding(True, "no record was rejected")
    numbers = {reason: count for reason, count, _ in found}
    listed = ", ".join(f"{count} ({reason})" for reason, count in numbers.items())
    sentence = f"records were rejected: {listed}. They are in raw.rejected_records"
    if not_stored := sum(count for *_, count in found):
        sentence += f", except {not_stored:,} that were not stored: it keeps {MAX_REJECTED:,} different ones of a read"
        numbers["not stored"] = not_stored
    return Finding(False, sentence, numbers)


CHECKS: Mapping[Callable[[CheckedTable], Finding], str] = {
    primary_key: "Every row has an id, and no id occurs twice.",
    declared_schema: "The table has exactly the declared columns, with their types.",
    complete_read: "The last read reached its end: the API's last page, or records that were already loaded.",
    rows_match_source: "The table has as many rows, without vanished ones, as the API counts in its list.",
    no_rejected_records: "The last read loaded every record.",
}
"""The checks of each raw table, named after their functions -> description."""

BLOCKING = primary_key
"""The one check that blocks the models."""


def check_specs(crm: Crm, resource: str) -> list[dg.AssetCheckSpec]:
    """The check specs of a raw asset."""
    key = asset_key(crm, f"{RAW}.{resource}")
    return [
        dg.AssetCheckSpec(find.__name__, asset=key, description=description, blocking=find is BLOCKING)
        for find, description in CHECKS.items()
    ]


def check_results(connection: duckdb.DuckDBPyConnection, crm: Crm, resource: str) -> list[dg.AssetCheckEvaluation]:
    """The results of all checks of one raw table. Never raises: a check that raises an error has failed."""
    endpoint = setting_at_load("endpoints", crm=crm).get(resource, EndpointSettings())
    table = CheckedTable(connection, resource, endpoint.total_is_exact)
    return [_result(find, table, crm) for find in CHECKS]


def _result(find: Callable[[CheckedTable], Finding], table: CheckedTable, crm: Crm) -> dg.AssetCheckEvaluation:
    try:
        finding = find(table)
    except Exception as error:  # noqa: BLE001 # a failed check, not a failed load
        with suppress(duckdb.Error):  # an error can end the transaction, in which no further check could be run
            table.connection.rollback()
        reason = explain(error, table.resource).message
        dg.get_dagster_logger().warning(f"Check {find.__name__} of {RAW}.{table.resource} could not be run: {reason}")
        finding = Finding(False, f"could not be run: {reason}")
    is_error = find is BLOCKING or finding.severe
    return dg.AssetCheckEvaluation(
        asset_key(crm, f"{RAW}.{table.resource}"),
        find.__name__,
        finding.passed,
        masked_metadata(finding.numbers),
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=masked(finding.sentence),
        blocking=find is BLOCKING,
    )
