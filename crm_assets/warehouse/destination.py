"""dlt's DuckDB destination, with two things changed: what it costs to ask it, and which row wins."""

from collections.abc import Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import dlt
import duckdb
from dlt.common.configuration.specs import base_configuration
from dlt.common.destination import DestinationCapabilitiesContext, PreparedTableSchema
from dlt.common.destination.client import FollowupJobRequest, LoadJob
from dlt.common.normalizers.naming import NamingConvention
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.destinations.impl.duckdb.configuration import DuckDbClientConfiguration
from dlt.destinations.impl.duckdb.duck import DuckDbClient
from dlt.destinations.sql_client import SqlClientBase
from dlt.destinations.sql_jobs import SqlMergeFollowupJob

# dlt takes types apart ten thousand times a load, always the same ones, to tell which settings are secrets.
base_configuration.extract_inner_hint = cache(base_configuration.extract_inner_hint)  # type: ignore[assignment]

LOAD_MEMORY = "128MiB"
"""What DuckDB may keep in memory while it loads: without a limit it keeps most of a million rows. A job for which this
is too little, with very long values, gets all there is when dlt starts it again."""


@cache
def memory_as_usual() -> str:
    """The statement that lifts the limit: `reset memory_limit` changes what the setting shows only (DuckDB 1.5)."""
    with duckdb.connect() as connection:
        [[limit]] = connection.execute("select current_setting('memory_limit')").fetchall()
    return f"set memory_limit = '{limit}'"


class NewerReadWins(SqlMergeFollowupJob):
    """A merge that does not replace rows which a read that began later has loaded already, and takes each id once.

    Of a record that was read several times, the one changed last is kept, and among equals the one that came last.

    Two reads of one resource can overlap: a slow full read begins, an incremental one begins and is loaded, and then
    the full read is loaded with what those records were like before. Load ids grow with the time a read began.

    What was merged does not stay in the staging table, where it would be compressed, and kept, a second time.
    """

    @classmethod
    def generate_sql(cls, table_chain: Sequence[PreparedTableSchema], sql_client: SqlClientBase[Any]) -> list[str]:
        """The statements of one transaction."""
        root, *_ = table_chain
        _, staged = sql_client.get_qualified_table_names(str(root["name"]))
        deduplicated: Any = {**root, "x-stage-data-deduplicated": True}
        return [*super().generate_sql([deduplicated], sql_client), f"delete from {staged}"]

    @classmethod
    def _gen_table_setup_clauses(
        cls, table_chain: Sequence[PreparedTableSchema], sql_client: SqlClientBase[Any]
    ) -> list[str]:
        table, staged = sql_client.get_qualified_table_names(str(table_chain[0]["name"]))
        stale = "staged.id = loaded.id and loaded._dlt_load_id > staged._dlt_load_id"
        # dlt would choose among rows of the same id by sorting all columns of all rows: at a million, in gigabytes.
        changed_at = "coalesce(updated_at, '-infinity'::timestamptz)"
        newest = f"select arg_max(rowid, ({changed_at}, rowid)) from {staged} group by id"
        return [
            f"delete from {staged} as staged using {table} as loaded where {stale}",
            f"delete from {staged} where rowid not in ({newest})",
        ]


class WarehouseClient(DuckDbClient):
    """dlt's DuckDB client with that merge."""

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """A job, with all the memory there is if it failed before: what it had may have been too little."""
        if ParsedLoadJobFileName.parse(file_path).retry_count:
            with self.sql_client as client:
                client.execute_sql(memory_as_usual())
        return super().create_load_job(table, file_path, load_id, restore)

    def _create_merge_followup_jobs(self, table_chain: Sequence[PreparedTableSchema]) -> list[FollowupJobRequest]:
        return [NewerReadWins.from_table_chain(table_chain, self.sql_client)]


class WarehouseDestination(dlt.destinations.duckdb):
    """dlt's DuckDB destination, which works out its capabilities once a process.

    A run asks for them some thirty times a resource, and each time dlt resolves the destination's whole configuration
    from all providers: half the time of a small load. They are the same for every database.
    """

    _known: ClassVar[dict[type | None, DestinationCapabilitiesContext]] = {}

    def __init__(self, path: Path) -> None:
        """Loads into the database at `path`."""
        super().__init__(credentials=str(path), destination_name="duckdb")

    def capabilities(
        self, config: DuckDbClientConfiguration | None = None, naming: NamingConvention | None = None
    ) -> DestinationCapabilitiesContext:
        """What the destination can do. Callers change what they get, so each gets a copy."""
        kind = type(naming) if naming else None
        if kind not in self._known:
            self._known[kind] = super().capabilities(config, naming)
        return copy(self._known[kind])

    @property
    def client_class(self) -> type[DuckDbClient]:
        """The client whose merges leave newer rows alone."""
        return WarehouseClient
