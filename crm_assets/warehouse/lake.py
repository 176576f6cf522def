"""A DuckLake as the warehouse: tables as Parquet files in a shared place, their catalog in PostgreSQL.

Every commit is a state that readers on any machine see as a whole. Different tables can be written at the same time.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import duckdb

from crm_assets.source.http.limits import Ledger
from crm_assets.warehouse.backend import Published, WarehouseUnreachable
from crm_assets.warehouse.duckdb_messages import is_about_missing_lake
from crm_assets.warehouse.extensions import load_extensions
from crm_assets.warehouse.lake_address import PREFIX, LakeAddress
from crm_assets.warehouse.lake_files import erase, maintain
from crm_assets.warehouse.lock import Announce, writer_lock
from crm_assets.warehouse.names import literal
from crm_assets.warehouse.object_storage import allow_s3
from crm_assets.warehouse.policy import set_erased

CATALOG = "lake"
"""What a lake is attached as."""

COMMIT_RETRIES = 100
"""How often DuckLake tries to commit when others committed other tables at the same time. Its default of ten is few."""

EXTENSIONS = ("ducklake", "postgres_scanner", "httpfs", "aws")


class Lake:
    """One lake. Connections see it as their default catalog."""

    def __init__(
        self, address: LakeAddress, working_folder: Path, wait: float, config: Mapping[str, Any], announce: Announce
    ) -> None:
        """Connects to nothing yet.

        Args:
            address: Where it is.
            working_folder: A folder of this machine for files that a run leaves nothing of.
            wait: Seconds to wait while others write the same table.
            config: DuckDB's configuration.
            announce: Called with sentences about waiting.
        """
        self.address = address
        self._working_folder = working_folder
        self._wait = wait
        self._config = config
        self._announce = announce
        self._keeps = False
        self._attached: dict[bool, duckdb.DuckDBPyConnection] = {}

    @property
    def name(self) -> str:
        """The address, without passwords."""
        return str(self.address)

    @property
    def working_folder(self) -> Path:
        """A folder of this machine."""
        return self._working_folder

    def check(self) -> None:
        """Reaches the catalog and the place of the files.

        Raises:
            WarehouseUnreachable: Tells which of them it was.
        """
        with self.connected(read_only=False, tables=["nothing"]) as connection, self._explained("CRM_WAREHOUSE_FILES"):
            if "://" in self.address.files:
                connection.execute("select count(*) from glob($files)", {"files": f"{self.address.files}/*"})
            else:
                Path(self.address.files).mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def connected(self, *, read_only: bool, tables: Collection[str] = ()) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the lake. Readers wait for nobody, and writers for those of the same table."""
        with self._turn(read_only=read_only, tables=tables):
            try:
                with closing(self._connection(read_only=read_only)) as connection:
                    connection.execute(f"use {CATALOG}; set TimeZone = 'UTC'")
                    yield connection
            except BaseException:
                self._close(read_only=read_only)  # whatever broke, the next one begins anew
                raise
            finally:
                if not self._keeps:
                    self._close(read_only=read_only)

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Keeps what is connected: DuckDB's extensions take half a second to load."""
        self._keeps = self.address.dsn is not None
        try:
            yield
        finally:
            self._keeps = False
            self._close(read_only=True)
            self._close(read_only=False)

    def publish(self) -> Published:
        """Readers see every commit. Tells the number of the state that they see now."""
        with self.connected(read_only=True) as connection:
            [[version]] = connection.execute(f"select id from ducklake_current_snapshot('{CATALOG}')").fetchall()
        return Published(self.name, is_new=True, version=version)

    def erase(self) -> None:
        """Writes files anew that have deleted rows, and removes earlier states and their files."""
        with self.connected(read_only=False) as connection:
            erase(connection, CATALOG)
            set_erased(connection, erased=True)

    def maintain(self) -> Mapping[str, int]:
        """Merges small files, and removes those that only states need which are older than a week."""
        with self.connected(read_only=False, tables=["maintenance"]) as connection:
            return maintain(connection, CATALOG)

    @contextmanager
    def ledger(self, crm: str) -> Iterator[Ledger | None]:
        """A table in the catalog's database."""
        if self.address.dsn is None:
            yield None
            return
        # Imported here, as psycopg comes with the extra "lake" only.
        import psycopg

        from crm_assets.warehouse.request_ledger import postgres_ledger

        try:
            with postgres_ledger(self.address.dsn, crm) as ledger:
                yield ledger
        except psycopg.OperationalError as error:
            raise self._unreachable(error, "CRM_WAREHOUSE") from None

    def _turn(self, *, read_only: bool, tables: Collection[str]) -> AbstractContextManager[None]:
        if self.address.dsn is None:  # a file: DuckDB lets one process have it
            return writer_lock(Path(self.address.catalog), self._wait, self._announce)
        if read_only:
            return nullcontext()
        return self._turn_among_writers(self.address.dsn, tables)

    @contextmanager
    def _turn_among_writers(self, dsn: str, tables: Collection[str]) -> Iterator[None]:
        # Imported here, as it comes with the extra "lake" only.
        import psycopg

        from crm_assets.warehouse.turns import turn

        try:
            with turn(dsn, self.address.schema, tables, self._wait, self._announce):
                yield
        except psycopg.OperationalError as error:
            raise self._unreachable(error, "CRM_WAREHOUSE") from None

    def _connection(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        if read_only not in self._attached:
            self._attached[read_only] = self._attach(read_only=read_only)
        return self._attached[read_only].cursor()

    def _attach(self, *, read_only: bool) -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(config=dict(self._config))
        try:
            load_extensions(connection, EXTENSIONS)
            if self.address.files.startswith("s3://"):
                with self._explained("AWS_ACCESS_KEY_ID and the other AWS_ variables"):
                    allow_s3(connection)
            options = [f"data_path {literal(self.address.files)}"]
            options += [f"metadata_schema {literal(self.address.schema)}"] if self.address.schema else []
            options += ["read_only"] if read_only else []
            with self._explained("CRM_WAREHOUSE"):
                connection.execute(
                    f"attach {literal(PREFIX + self.address.catalog)} as {CATALOG} ({', '.join(options)})"
                )
            connection.execute(f"set ducklake_max_retry_count = {COMMIT_RETRIES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _close(self, *, read_only: bool) -> None:
        connection = self._attached.pop(read_only, None)
        if connection is not None:
            connection.close()

    @contextmanager
    def _explained(self, setting: str) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, OSError) as error:
            if isinstance(error, duckdb.Error) and is_about_missing_lake(error):
                raise FileNotFoundError(
                    f"{self.name} holds nothing yet: materialize the assets of group raw first"
                ) from None
            raise self._unreachable(error, setting) from None

    def _unreachable(self, error: Exception, setting: str) -> WarehouseUnreachable:
        what = self.address.files if setting == "CRM_WAREHOUSE_FILES" else f"{PREFIX}{self.address.catalog}"
        return WarehouseUnreachable(
            self.address.without_secrets(f"{what} could not be reached: {error}. Check {setting}, and whether it runs")
        )
