"""The table `raw.sync_changes`: what each load changed, and the resulting data version."""

from dataclasses import dataclass

import duckdb

from crm_assets.api import ID
from crm_assets.loading.present import ShownRows, present_since, rows_seen
from crm_assets.loading.raw_tables import raw_table, stored_columns
from crm_assets.source.reading.report import ReadMode
from crm_assets.warehouse.names import identifier

STORED = """
create or replace temp table stored_before as
select
    {id},
    hash({columns}) as content,
    _dlt_load_id >= $since as was_present
from {table}
where _dlt_load_id <= $load_id
"""

COMPARED = """
select
    count(*) filter (where stored_before.id is null),
    count(*) filter (where stored_before.was_present and stored_before.content <> loaded.content),
    count(*) filter (where not stored_before.was_present)
from (select {id}, hash({columns}) as content from {table} where _dlt_load_id = $load_id) as loaded
left join stored_before on loaded.{id} = stored_before.{id}
"""

LAST_VERSION = "select version from raw.sync_changes where resource = ? order by _dlt_load_id desc limit 1"


@dataclass(frozen=True)
class Changes:
    """The changes of a raw table by one load.

    Attributes:
        new: Rows with a new id.
        changed: Rows that were present and now have another value in any column.
        vanished: Rows that were present and no longer are.
        returned: Rows that had vanished and are present again.
        version: Load id of the last load that changed anything, including columns and side-loaded records.
    """

    new: int
    changed: int
    vanished: int
    returned: int
    version: str


class Comparison:
    """Compares a raw table before and after a load, within the load's transaction.

    It compares 64-bit hashes of the rows' values: joining two tables on all columns would take as long as loading them.
    dlt's own columns are left out.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, resource: str, load_id: str, shown: ShownRows) -> None:
        """Reads the table before rows change. The load must already have added its columns."""
        self._connection, self._resource, self._load_id, self._shown = connection, resource, load_id, shown
        columns = [identifier(name) for name in stored_columns(connection, resource) if not name.startswith("_dlt_")]
        self._names = {"id": ID, "columns": ", ".join(columns), "table": raw_table(resource)}
        connection.execute(STORED.format(**self._names), {"load_id": load_id, "since": shown.since})

    def changes(self, mode: ReadMode, *, more_changed: bool) -> Changes:
        """Computes the changes after the load and stores them. The sync log must already have the load.

        Args:
            mode: Of the read. After an incremental one no row vanishes.
            more_changed: Whether the load changed anything besides rows.
        """
        [counted] = self._connection.execute(COMPARED.format(**self._names), {"load_id": self._load_id}).fetchall()
        new, changed, returned = counted
        self._connection.execute("drop table temp.stored_before")
        vanished = 0
        if mode is ReadMode.full:
            present = rows_seen(self._connection, self._resource, present_since(self._connection, self._resource))
            vanished = max(0, self._shown.rows + new + returned - present)
        last = self._connection.execute(LAST_VERSION, [self._resource]).fetchone()
        same = last is not None and not (more_changed or new or changed or vanished or returned)
        found = Changes(new, changed, vanished, returned, version=str(last[0]) if last and same else self._load_id)
        self._connection.execute(
            "insert into raw.sync_changes values (?, ?, ?, ?, ?, ?, ?)",
            [self._resource, new, changed, vanished, returned, found.version, self._load_id],
        )
        return found
