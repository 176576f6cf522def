"""Schema `present`: a view of each raw table, for staging models, with the rows that the CRM lists now.

It applies two rules. A row is present if the last complete full read of its resource, or a later read, saw it; before
the first such read all rows are. Text is trimmed, and empty text is null. They are views, not macros, since every
reader of a view that calls a macro would need the macro.

A full read that lacks most of the rows shown counts as incomplete until it is confirmed: a changed filter or a lost
permission empties a list for a while, and histories would record that for good. Another full read that finds the same
confirms such a read, and so does the user.
"""

from dataclasses import dataclass
from functools import partial

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.loading.log_tables import next_load_id
from crm_assets.loading.raw_tables import DUCKDB_TYPES, raw_table, stored_columns
from crm_assets.source.typing.columns import varies
from crm_assets.warehouse.names import PRESENT, RAW, exist, identifier, literal, relation
from crm_assets.warehouse.transactions import committed

FEW = 20
"""So many rows may vanish at once, whatever their share."""

SPACE = r"[\s\v\p{Z}\x1c-\x1f\x85]+"
"""What Python's `strip` removes, as a pattern of DuckDB. Its `trim` leaves tabs and line ends, and takes as long."""

UNCONFIRMED = "select _dlt_load_id from raw.unconfirmed_reads where resource = ? and _dlt_load_id > ?"

LAST = """
select max(_dlt_load_id)
from raw.sync_log
where resource = ? and not complete and _dlt_load_id in (select unnest(?))
"""

VIEWS = f"""
select view_name, sql from duckdb_views() where database_name = current_database() and schema_name = '{PRESENT}'
"""

OF_READ = " where resource = $resource and _dlt_load_id = $load_id"
COMPLETE = "update raw.sync_log set complete = true" + OF_READ
NO_REASON = "update raw.sync_details set incomplete_because = ''" + OF_READ
VANISHED = "update raw.sync_changes set rows_vanished = $missing" + OF_READ

NEW_VERSION = """
update raw.sync_changes set version = $version
where
    resource = $resource
    and _dlt_load_id = (select max(_dlt_load_id) from raw.sync_changes where resource = $resource)
"""
"""The next load without changes has this version, so the models are built again."""


def show_present(connection: duckdb.DuckDBPyConnection, loaded: str, *, columns_changed: bool) -> bool:
    """Creates all missing views, and the one of the loaded resource again if it differs. Returns whether it did.

    In a lake each new view is a new version of the schema, which every process then reads as a whole from the catalog.

    Args:
        connection: Within the load's transaction.
        loaded: The resource.
        columns_changed: Whether columns were added or have another type. A view keeps the types that its columns had.
    """
    stored, differs = dict(connection.execute(VIEWS).fetchall()), False
    for resource in ENDPOINTS:
        if resource in stored and resource != loaded:
            continue
        select = _select(connection, resource)
        if columns_changed or not stored.get(resource, "").endswith(f" AS {_normal(connection, select)};"):
            connection.execute(f"create or replace view {relation(f'{PRESENT}.{resource}')} as {select}")
            differs |= resource == loaded
    return differs


def present_view(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The statement that creates a resource's view, with the current columns of its raw table."""
    return f"create or replace view {relation(f'{PRESENT}.{resource}')} as {_select(connection, resource)}"


def _select(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    columns = ", ".join(_shown(name, type_) for name, type_ in stored_columns(connection, resource).items())
    since = f"select load_id from present.since where resource = {literal(resource)}"
    return f"select {columns} from {raw_table(resource)} where _dlt_load_id >= coalesce(({since}), '')"


def _normal(connection: duckdb.DuckDBPyConnection, select: str) -> str:
    """A SELECT as DuckDB writes it."""
    [[text]] = connection.execute("select json_deserialize_sql(json_serialize_sql(?))", [select]).fetchall()
    return str(text)


def _shown(name: str, type_: str) -> str:
    # Variant columns and dlt's own columns are not changed.
    if type_ != DUCKDB_TYPES["text"] or name.startswith("_dlt_") or varies(name) is not None:
        return identifier(name)
    return f"nullif(regexp_replace({identifier(name)}, '^{SPACE}|{SPACE}$', '', 'g'), '') as {identifier(name)}"


def present_since(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The load from which on a resource's rows are present; empty before its first complete full read."""
    since = "select coalesce(max(load_id), '') from present.since where resource = ?"
    [[load_id]] = connection.execute(since, [resource]).fetchall()
    return str(load_id)


def rows_seen(connection: duckdb.DuckDBPyConnection, resource: str, first: str, before: str | None = None) -> int:
    """How many rows of a raw table were last seen by the load `first` or a later one, and before the load `before`."""
    seen = "_dlt_load_id >= $first and ($before is null or _dlt_load_id < $before)"
    counted = f"select count(*) from {raw_table(resource)} where {seen}"
    [[rows]] = connection.execute(counted, {"first": first, "before": before}).fetchall()
    return int(rows)


@dataclass(frozen=True)
class Unconfirmed:
    """A full read that is to be confirmed.

    Attributes:
        load_id: Its load id.
        rows: The rows that are shown now.
        missing: How many of them it lacked.
    """

    load_id: str
    rows: int
    missing: int


class ShownRows:
    """The rows of a raw table that are shown, before a load changes them.

    Attributes:
        since: The load from which on rows are shown.
        rows: How many there are.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, resource: str) -> None:
        """Counts the rows, within the load's transaction."""
        self._connection, self._resource = connection, resource
        self._count = partial(rows_seen, connection, resource)
        self.since = present_since(connection, resource)
        self._doubted = _last(connection, resource, self.since)
        self.rows = self._count(self.since)
        self._listed = self._count(self._doubted) if self._doubted else 0

    def missing(self, load_id: str, share: float) -> int:
        """How many of the rows a complete full read lacks, if these are too many and nothing confirms it; otherwise 0.

        An earlier read that lacked too many confirms this one if neither lacks too many of the other's rows.

        Args:
            load_id: The read. Its rows must be loaded.
            share: The share of the rows that may vanish at once.
        """
        missing = self._count(self.since, load_id)
        if not _too_many(missing, self.rows, share):
            return 0
        if self._doubted:
            lost = self._count(self._doubted, load_id)
            back = self.rows - self._listed - self._count(self.since, self._doubted)
            if not _too_many(lost, self._listed, share) and not _too_many(back, self.rows - missing, share):
                return 0
        self._connection.execute(
            "insert into raw.unconfirmed_reads values (?, ?, ?, ?)", [self._resource, self.rows, missing, load_id]
        )
        return missing


def unconfirmed(connection: duckdb.DuckDBPyConnection, resource: str) -> Unconfirmed | None:
    """The last full read that is to be confirmed; None if there is none since the last complete one."""
    if not exist(connection, f"{RAW}.unconfirmed_reads"):
        return None
    since = present_since(connection, resource)
    load_id = _last(connection, resource, since)
    if load_id is None:
        return None
    count = partial(rows_seen, connection, resource, since)
    return Unconfirmed(load_id, rows=count(), missing=count(load_id))


def confirm(connection: duckdb.DuckDBPyConnection, resource: str) -> Unconfirmed | None:
    """Makes the read complete that is to be confirmed: the rows that it lacked vanish. Returns it, if there is one."""
    version = next_load_id(connection)
    return committed(connection, partial(_confirm, connection, resource, version))


def _confirm(connection: duckdb.DuckDBPyConnection, resource: str, version: str) -> Unconfirmed | None:
    found = unconfirmed(connection, resource)
    if found is not None:
        of_read = {"resource": resource, "load_id": found.load_id}
        connection.execute(COMPLETE, of_read)
        connection.execute(NO_REASON, of_read)
        connection.execute(VANISHED, of_read | {"missing": found.missing})
        connection.execute(NEW_VERSION, {"resource": resource, "version": version})
    return found


def _too_many(missing: int, rows: int, share: float) -> bool:
    return missing > FEW and (missing > share * rows or missing == rows)


def _last(connection: duckdb.DuckDBPyConnection, resource: str, since: str) -> str | None:
    lacking = [load_id for (load_id,) in connection.execute(UNCONFIRMED, [resource, since]).fetchall()]
    if not lacking:  # as a rule
        return None
    [[load_id]] = connection.execute(LAST, [resource, lacking]).fetchall()
    return None if load_id is None else str(load_id)
