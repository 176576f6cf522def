"""The findings of the raw assets' checks, from the raw table and the sync log after a read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import duckdb

from crm_assets.errors import counted
from crm_assets.loading.present import unconfirmed
from crm_assets.loading.raw_tables import DUCKDB_TYPES, raw_table, stored_columns
from crm_assets.privacy.forgetting import listed_but_forgotten
from crm_assets.settings import setting_name
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import MAX_REJECTED
from crm_assets.source.typing.columns import FURTHER, varies
from crm_assets.warehouse.names import PRESENT, RAW, exist, relation

LAST_READ = """
select
    _dlt_load_id,
    mode,
    complete,
    incomplete_because,
    rows_in_source
from raw.sync_log
left join raw.sync_details using (resource, _dlt_load_id)
where resource = ?
order by _dlt_load_id desc
limit 1
"""

REJECTED = """
select
    reason,
    sum(coalesce(records, 1))::bigint as records,
    coalesce(sum(records) filter (where record is null), 0)::bigint as not_stored
from (select null::bigint as records where false union all by name select * from raw.rejected_records)
where resource = ? and _dlt_load_id = ?
group by reason
order by reason
"""
"""Until the first load by this release, the table has no column `records`."""


DROPPED = """
select field
from raw.dropped_fields
where resource = ? and _dlt_load_id = ?
order by field
"""

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
    """

    connection: duckdb.DuckDBPyConnection
    resource: str

    @cached_property
    def last_read(self) -> LastRead | None:
        """None if it was not read yet."""
        found = self.connection.execute(LAST_READ, [self.resource]).fetchone()
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
    address = f"{RAW}.{table.resource}"
    return Finding(
        False,
        f"{listed}. The models are not built. Delete these rows from {address}, then materialize "
        "this asset in mode full, which loads them again from the CRM",
        numbers,
    )


def declared_schema(table: CheckedTable) -> Finding:
    """Whether the table has exactly the declared columns, with their types."""
    declared = resource_schema(table.resource).columns
    stored = stored_columns(table.connection, table.resource)
    found = {name: type_ for name, type_ in stored.items() if not name.startswith("_dlt_")}
    variants = [name for name in found if varies(name) in declared]
    drift = {
        "values of another type, kept in": variants,
        "not declared": [name for name in found if name not in declared and name not in {FURTHER, *variants}],
        f"not declared, in {FURTHER}": _further_fields(table.connection, table.resource) if FURTHER in found else [],
        "declared, but not in the table": [name for name in declared if name not in found],
        "of another type than declared": [
            f"{name} ({found[name]})"
            for name, column in declared.items()
            if name in found and found[name] != DUCKDB_TYPES[column.data_type]
        ],
    }
    dropped = _dropped_fields(table)
    advice = f"Compare with source/schemas/{table.resource}.yaml, and declare the columns to keep"
    if dropped:
        drift |= {"not declared, and left out": dropped}
        allowed = setting_name("personal_data_allowed")
        advice += f", or list undeclared fields that hold no personal data in {allowed}"
    numbers = {what: len(names) for what, names in drift.items() if names}
    if not numbers:
        return Finding(True, f"exactly the {len(declared)} declared columns")
    listed = "; ".join(f"{what}: {_shown(names)}" for what, names in drift.items() if names)
    return Finding(False, f"{listed}. {advice}", numbers)


def _further_fields(connection: duckdb.DuckDBPyConnection, resource: str) -> list[str]:
    """Fields without a column."""
    fields = f"select distinct unnest(json_keys({FURTHER})) from {raw_table(resource)} order by 1"
    return [field for (field,) in connection.execute(fields).fetchall()]


def _dropped_fields(table: CheckedTable) -> list[str]:
    """Fields that the last read left out; none in a database of an earlier release."""
    last = table.last_read
    if last is None or not exist(table.connection, f"{RAW}.dropped_fields"):
        return []
    dropped = table.connection.execute(DROPPED, [table.resource, last.load_id]).fetchall()
    return [field for (field,) in dropped]


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_FIELDS} more" if len(names) > SHOWN_FIELDS else ""
    return (
        ", ".join(name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…" for name in names[:SHOWN_FIELDS])
        + more
    )


def rows_match_source(table: CheckedTable) -> Finding:
    """Whether the table has as many rows, without vanished ones, as the API counts in its list.

    Incremental reads cannot detect vanished records, so there may be more rows until the next complete full read.
    """
    last = table.last_read
    if last is None or last.in_source is None:
        return Finding(True, "the API does not count its records")
    in_source, view = last.in_source, relation(f"{PRESENT}.{table.resource}")
    [[present]] = table.connection.execute(f"select count(*) from {view}").fetchall()
    forgotten = listed_but_forgotten(table.connection, table.resource)
    numbers = {"rows": present, "rows in source": in_source} | ({"forgotten rows": forgotten} if forgotten else {})
    in_source -= forgotten
    if present == in_source:
        return Finding(True, f"{counted(present, 'row')}, as the API counts", numbers)
    if last.mode == "incremental" and present > in_source:
        return Finding(
            True,
            f"{counted(present, 'row')}, {present - in_source:,} more than the API counts: these may have vanished "
            "from the list. The next full read will show it",
            numbers,
        )
    return Finding(
        False,
        f"{counted(present, 'row')}, but the API counts {in_source:,}. If the list changed during the read, "
        "the next read corrects it. Otherwise materialize in mode full and look at crm/complete",
        numbers,
    )


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
    found = table.connection.execute(REJECTED, [table.resource, last.load_id]).fetchall() if last else []
    if not found:
        return Finding(True, "no record was rejected")
    numbers = {reason: count for reason, count, _ in found}
    listed = ", ".join(f"{count} ({reason})" for reason, count in numbers.items())
    sentence = f"records were rejected: {listed}. They are in raw.rejected_records"
    if not_stored := sum(count for *_, count in found):
        sentence += f", except {not_stored:,} that were not stored: it keeps {MAX_REJECTED:,} different ones of a read"
        numbers["not stored"] = not_stored
    return Finding(False, sentence, numbers)
