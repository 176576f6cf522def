"""A DuckLake as the warehouse: tables as Parquet files in a shared place, with their catalog in PostgreSQL.

Readers on any machine see each commit as a whole. Different tables can be written at the same time.
"""

import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.errors import NothingStored
from crm_assets.source.http.limits import Ledger
from crm_assets.warehouse.duckdb_file import create, replace, rewritten, when_closed_elsewhere
from crm_assets.warehouse.lake.address import PREFIX, LakeAddress, allow_s3, connected_with, explained
from crm_assets.warehouse.lake.commit import Guard
from crm_assets.warehouse.lake.files import CATALOG, ROW_GROUPS, erase, maintain, rewrite
from crm_assets.warehouse.lake.marker import claim, mark_new, write_and_delete_file, write_and_delete_row
from crm_assets.warehouse.private_files import ALL_BUT_OWNER, mask_of, private_files, working_folder
from crm_assets.warehouse.sharing import Announce, Change, KeptOpen, Published, writer_lock
from crm_assets.warehouse.tables import SMALL, identifier, literal
from crm_assets.warehouse.transactions import Reconnecting, committed

METADATA = f"__ducklake_metadata_{CATALOG}"
"""The name under which DuckLake attaches the database with the lake's catalog."""

COMMIT_RETRIES = 100
"""How often DuckLake retries a commit while others commit other tables. Its default of ten is too few."""

ATTACHED = f"select readonly from system.main.duckdb_databases() where database_name = '{CATALOG}'"

NOTHING_INLINED = "data_inlining_row_limit 0"
"""Without it DuckLake keeps small inserts in tables of the catalog, one more for each version of a table. Dropping
them waits for every reader with an open transaction, and all writers wait for that."""

ONE_SESSION = "set global pg_pool_max_connections = 1; set global pg_use_ctid_scan = false"
"""Keeps one session of PostgreSQL instead of four, and reads large tables of the catalog in one. Global, since
connections are cursors of the instance."""

THREADS = """
select if(coalesce(sum(file_size_bytes), 0) < {small}, 'set threads = 1', 'reset threads')
from {catalog}.ducklake_data_file
where end_snapshot is null
"""
"""A small lake is used with one thread: of several, one asks the catalog, and another waits for it without a pause."""


@dataclass(frozen=True)
class Lake:
    """A lake. It is the default catalog of its connections.

    Attributes:
        address: The address of the lake.
        working_folder: A local folder for temporary files.
        wait: Seconds to wait for other writers of the same table.
        config: DuckDB's configuration.
        announce: Called with messages about waiting.
        keeps: Whether its DuckDB instance stays open until `close`: opening one takes up to half a second.
    """

    address: LakeAddress
    working_folder: Path
    wait: float
    config: Mapping[str, Any]
    announce: Announce
    keeps: bool = False

    @cached_property
    def _kept(self) -> KeptOpen[duckdb.DuckDBPyConnection]:
        return KeptOpen(self._connect)

    @property
    def name(self) -> str:
        """The address, without passwords."""
        return str(self.address)

    @property
    def is_shared(self) -> bool:
        """Whether several processes can have it open, and count their requests together, in `ledger`."""
        return self.address.dsn is not None

    @property
    def stamp(self) -> int | None:
        """The number of the current snapshot, if the instance is kept open: otherwise it takes half a second."""
        if not self.keeps:
            return None
        with private_files(self._mask), self._connected(read_only=None) as connection:
            return _snapshot(connection)

    def probe(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Writes and deletes a row in the catalog, and a file. Takes no longer if there are more files.

        Args:
            connection: One of this lake, for writing. A further one would cost 20 ms of CPU.

        Raises:
            WarehouseUnreachable: One of them cannot be reached, or refuses; the message says which.
        """
        with explained(self.address, "CRM_WAREHOUSE_FILES"):
            write_and_delete_file(connection, self.address.files)
        with explained(self.address, "CRM_WAREHOUSE"):
            write_and_delete_row(connection, self._catalog)

    @contextmanager
    def connected(
        self, *, read_only: bool, tables: Collection[str] = (), if_free: Collection[str] = (), keep: bool = False
    ) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the lake. Readers never wait; writers wait for other writers of the same table."""
        with (
            private_files(self._mask),
            self._locked(read_only=read_only, tables=tables, if_free=if_free) as guard,
            Reconnecting(partial(self._connected, read_only=read_only), guard, "ducklake") as connection,
        ):
            yield connection

    def close(self) -> None:
        """Closes what is kept open."""
        self._kept.close()

    def publish(self) -> Published:
        """Returns the number of the current snapshot. Readers see every commit at once."""
        with self.connected(read_only=True) as connection:
            return Published(self.name, is_new=True, version=_snapshot(connection))

    def erase(self, record: Change) -> None:
        """Rewrites files with deleted rows, and a catalog that is a file. Removes old snapshots and their files."""
        with private_files(self._mask), self._locked(read_only=False, tables=(), if_free=()) as guard:
            connected = partial(Reconnecting, partial(self._connected, read_only=False), guard, "ducklake")
            with connected() as connection:
                erase(connection, self._catalog)
            if self.address.dsn is None:
                self._rewrite_catalog()
            with connected() as connection:
                committed(connection, partial(record, connection))

    def _rewrite_catalog(self) -> None:
        """Replaces a catalog that is a DuckDB file, whose free blocks hold the smallest and largest values of files."""
        catalog = Path(self.address.catalog).expanduser().resolve()
        with working_folder(self.working_folder) as folder:
            config = {"temp_directory": str(folder), **self.config}
            connect = partial(duckdb.connect, str(catalog), config=config)
            with closing(when_closed_elsewhere(catalog, self.wait, self.announce, connect)) as connection:
                connection.execute("checkpoint")
            replace(catalog, rewritten(catalog, folder, config), stat.S_IMODE(catalog.stat().st_mode))

    def maintain(self) -> Mapping[str, int]:
        """Rewrites and merges files, and removes those that only expired snapshots need.

        Readers never wait. Writers wait only while files are rewritten of which most rows are deleted, and while those
        of killed writers are removed.
        """
        with self.connected(read_only=False) as connection:
            rewrite(connection, self._catalog)
        with self.connected(read_only=False, tables=["maintenance"]) as connection:
            return maintain(connection)

    @contextmanager
    def ledger(self, crm: str) -> Iterator[Ledger | None]:
        """The ledger in a table of the catalog's database."""
        if self.address.dsn is None:
            yield None
            return
        # Imported here: it needs psycopg, which is installed only with the extra "lake".
        from crm_assets.warehouse.lake.coordination import UNREACHABLE, counted_requests

        with explained(self.address, "CRM_WAREHOUSE", UNREACHABLE), counted_requests(self.address.dsn, crm) as requests:
            yield requests

    @contextmanager
    def _locked(self, *, read_only: bool, tables: Collection[str], if_free: Collection[str]) -> Iterator[Guard | None]:
        """Holds the locks while the body runs."""
        if self.address.dsn is None:  # a file: DuckDB allows one process at a time
            with writer_lock(Path(self.address.catalog), self.wait, self.announce):
                yield None
            return
        if read_only:
            yield None
            return
        # Imported here: it needs psycopg, which is installed only with the extra "lake".
        from crm_assets.warehouse.lake.coordination import UNREACHABLE, locked

        with (
            explained(self.address, "CRM_WAREHOUSE", UNREACHABLE),
            locked(self.address.dsn, self.address.schema, tables, if_free, self.wait, self.announce) as (held, shared),
        ):
            yield Guard(held, shared, self.address.folder)

    @contextmanager
    def _connected(self, *, read_only: bool | None) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            self._kept.used() if self.keeps else self._connect() as instance,
            closing(instance.cursor()) as connection,
        ):
            self._attach(connection, read_only=read_only)
            if read_only is not None:
                connection.execute(f"use {CATALOG}; set TimeZone = 'UTC'")
            yield connection

    @property
    def _mask(self) -> int:
        """The mask of new files: those in a folder are for the same people as the folder."""
        folder = self.address.folder
        return mask_of(folder) if folder and folder.exists() else ALL_BUT_OWNER

    @property
    def _catalog(self) -> str:
        """The quoted schema of the catalog's own tables."""
        return identifier(METADATA, self.address.schema) if self.address.schema else identifier(METADATA)

    @contextmanager
    def _connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with (
            working_folder(self.working_folder) as spilled,
            closing(
                connected_with(self.address.extensions, {"temp_directory": str(spilled), **self.config})
            ) as connection,
        ):
            with explained(self.address, "CRM_WAREHOUSE"):  # DuckDB may have to download extensions
                connection.execute(f"set global ducklake_max_retry_count = {COMMIT_RETRIES}")
                if self.address.dsn is not None:
                    connection.execute(ONE_SESSION)
            if self.address.files.startswith("s3://"):
                with explained(self.address, "AWS_ACCESS_KEY_ID and the other AWS_ variables"):
                    allow_s3(connection)
            yield connection

    def _attach(self, connection: duckdb.DuckDBPyConnection, *, read_only: bool | None) -> None:
        """Attaches the lake either to read or to write, so that it has one session of PostgreSQL.

        Args:
            connection: A connection of its instance.
            read_only: Which of the two; None: as it is, or else to write.
        """
        attached = connection.execute(ATTACHED).fetchall()
        if attached:
            if read_only in {None, attached[0][0]}:
                return
            connection.execute(f"detach {CATALOG}")
        if read_only:
            self._attach_lake(connection, "read_only")
            return
        if self.address.dsn is None:
            create(Path(self.address.catalog).expanduser())
        try:
            self._attach_lake(connection, "create_if_not_exists false")
        except NothingStored:
            with self._creation_locked():
                self._create(connection)
        with explained(self.address, "CRM_WAREHOUSE_FILES"):
            claim(connection, self.address.files, self._catalog)

    @contextmanager
    def _creation_locked(self) -> Iterator[None]:
        """Holds a lock of its own while the body creates the lake: writers of different tables may all find none."""
        if self.address.dsn is None:
            yield
            return
        # Imported here: it needs psycopg, which is installed only with the extra "lake".
        from crm_assets.warehouse.lake.coordination import locked

        with locked(self.address.dsn, f"{self.address.schema} creation", (), (), self.wait, self.announce):
            yield

    def _create(self, connection: duckdb.DuckDBPyConnection) -> None:
        try:
            self._attach_lake(connection, "create_if_not_exists false")  # another process has created it meanwhile
        except NothingStored:
            with explained(self.address, "CRM_WAREHOUSE_FILES"):
                mark_new(connection, self.address.files)
            self._attach_lake(connection)
            connection.execute(ROW_GROUPS)

    def _attach_lake(self, connection: duckdb.DuckDBPyConnection, *options: str) -> None:
        options = (f"data_path {literal(self.address.files)}", NOTHING_INLINED, *options)
        if self.address.schema:
            options = (f"metadata_schema {literal(self.address.schema)}", *options)
        attach = f"attach {literal(PREFIX + self.address.catalog)} as {CATALOG} ({', '.join(options)})"
        with explained(self.address, "CRM_WAREHOUSE"):
            catalog = Path(self.address.catalog)
            when_closed_elsewhere(catalog, self.wait, self.announce, partial(connection.execute, attach))
            [[threads]] = connection.execute(THREADS.format(catalog=self._catalog, small=SMALL)).fetchall()
            connection.execute(threads)


def _snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    [[number]] = connection.execute(f"select id from ducklake_current_snapshot('{CATALOG}')").fetchall()
    return int(number)
