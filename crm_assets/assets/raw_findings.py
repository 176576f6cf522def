"""The findings of the raw assets' checks, from the raw table and the sync log after a read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from crm_assets.counting import counted
from crm_assets.loading.present import unconfirmed
from crm_assets.loading.raw_tables import DUCKDB_TYPES, raw_table, stored_columns
from crm_assets.privacy.forgetting import listed_but_forgotten
from crm_assets.settings import setting_name
from crm_assets.source.schemas import resource_schema
from crm_assets.source.typing.batches import MAX_REJECTED
from crm_assets.source.typing.columns import varies
from crm_assets.source.typing.field_names import FURTHER
from crm_assets.warehouse.names import PRESENT, RAW, exist, relation

LAST_READ = """
select
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
where resource = $resource and _dlt_load_id = (select max(_dlt_load_id) from raw.sync_log where resource = $resource)
group by reason
order by reason
"""
"""Until the first load by this release, the table has no column `records`."""


DROPPED = """
select field
from raw.dropped_fields
where resource = $resource and _dlt_load_id = (select max(_dlt_load_id) from raw.sync_log where resource = $resource)
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


def primary_key(connection: duckdb.DuckDBPyConnection, resource: str) -> Finding:
    """Whether every row has an `id`, and no two rows have the same."""
    [[rows, with_id, ids]] = connection.execute(
        f"select count(*), count(id), count(distinct id) from {raw_table(resource)}"
    ).fetchall()
    numbers = {"rows without id": rows - with_id, "rows that repeat another's id": with_id - ids}
    if rows == ids:
        return Finding(True, f"{counted(rows, 'row')}, each with a unique id", numbers)
    listed = ", ".join(f"{what}: {count}" for what, count in numbers.items())
    address = f"{RAW}.{resource}"
    return Finding(
        False,
        f"{listed}. The models are not built. Delete these rows from {address}, then materialize "
        "this asset in mode full, which loads them again from the CRM",
        numbers,
    )


def declared_schema(connection: duckdb.DuckDBPyConnection, resource: str) -> Finding:
    """Whether the table has exactly the declared columns, with their types."""
    declared = resource_schema(resource).columns
    stored = stored_columns(connection, resource)
    found = {name: type_ for name, type_ in stored.items() if not name.startswith("_dlt_")}
    variants = [name for name in found if varies(name) in declared]
    drift = {
        "values of another type, kept in": variants,
        "not declared": [name for name in found if name not in declared and name not in {FURTHER, *variants}],
        f"not declared, in {FURTHER}": _further_fields(connection, resource) if FURTHER in found else [],
        "declared, but not in the table": [name for name in declared if name not in found],
        "of another type than declared": [
            f"{name} ({found[name]})"
            for name, column in declared.items()
            if name in found and found[name] != DUCKDB_TYPES[column.data_type]
        ],
    }
    dropped = _dropped_fields(connection, resource)
    advice = f"Compare with source/schemas/{resource}.yaml, and declare the columns to keep"
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


def _dropped_fields(connection: duckdb.DuckDBPyConnection, resource: str) -> list[str]:
    """Fields that the last read left out; none in a database of an earlier release."""
    if not exist(connection, f"{RAW}.dropped_fields"):
        return []
    dropped = connection.execute(DROPPED, {"resource": resource}).fetchall()
    return [field for (field,) in dropped]


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_FIELDS} more" if len(names) > SHOWN_FIELDS else ""
    return (
        ", ".join(name if len(name) <= SHOWN_LENGTH else f"{name[:SHOWN_LENGTH]}…" for name in names[:SHOWN_FIELDS])
        + more
    )


def rows_match_source(connection: duckdb.DuckDBPyConnection, resource: str) -> Finding:
    """Whether the table has as many rows, without vanished ones, as the API counts in its list.

    Incremental reads cannot detect vanished records, so there may be more rows until the next complete full read.
    """
    last = connection.execute(LAST_READ, [resource]).fetchone()
    if last is None or last[-1] is None:
        return Finding(True, "the API does not count its records")
    mode, *_, in_source = last
    view = relation(f"{PRESENT}.{resource}")
    [[present]] = connection.execute(f"select count(*) from {view}").fetchall()
    forgotten = listed_but_forgotten(connection, resource)
    numbers = {"rows": present, "rows in source": in_source} | ({"forgotten rows": forgotten} if forgotten else {})
    in_source -= forgotten
    if present == in_source:
        return Finding(True, f"{counted(present, 'row')}, as the API counts", numbers)
    if mode == "incremental" and present > in_source:
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


def complete_read(connection: duckdb.DuckDBPyConnection, resource: str) -> Finding:
    """Whether the last read reached its end. An incomplete read marks no record as vanished.

    The finding is severe if too many rows would vanish at once.
    """
    last = connection.execute(LAST_READ, [resource]).fetchone()
    if last is None:
        return Finding(True, "not read yet")
    mode, complete, because, _ = last
    if complete:
        return Finding(True, f"the last read ({mode}) is complete")
    sentence = f"the last read ({mode}) is incomplete: {because}. No row is hidden because of it"
    doubted = unconfirmed(connection, resource)
    numbers = {"rows shown": doubted.rows, "rows missing": doubted.missing} if doubted else {}
    return Finding(False, sentence, numbers, severe=doubted is not None)


def no_rejected_records(connection: duckdb.DuckDBPyConnection, resource: str) -> Finding:
    """Whether the last read loaded every record. The finding has reasons and counts, never a record."""
    found = connection.execute(REJECTED, {"resource": resource}).fetchall()
    if not found:
        return Finding(True, "no record was rejected")
    numbers = {reason: count for reason, count, _ in found}
    listed = ", ".join(f"{count} ({reason})" for reason, count in numbers.items())
    sentence = f"records were rejected: {listed}. They are in raw.rejected_records"
    if not_stored := sum(count for *_, count in found):
        sentence += f", except {not_stored:,} that were not stored: it keeps {MAX_REJECTED:,} different ones of a read"
        numbers["not stored"] = not_stored
    return Finding(False, sentence, numbers)
