"""Commits to a lake so that a lost answer of its catalog loses no files.

If PostgreSQL's answer to a commit is lost, DuckLake (of DuckDB 1.5.5) takes the commit for failed, and deletes the
files that it has just committed: the table cannot be read any more. Upstream: issue duckdb/ducklake#1023 and pull
request #1092. `test_lake_upstream.py` fails when DuckLake no longer does that; `guarded` then needs no more than the
check of the lock.

In a bucket the requests that delete are prevented. In a folder the files get a second name first. If a commit did fail,
they stay until the lake's maintenance finds them.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from crm_assets.errors import CommitUnconfirmed, WarehouseError, WarehouseUnreachable
from crm_assets.warehouse.duckdb_messages import catalog_message, is_conflict, is_denial, is_out_of_memory
from crm_assets.warehouse.private_files import link_or_copy
from crm_assets.warehouse.tables import literal

ASIDE = ".crm_assets_commit_"
"""The beginning of the names of folders with second names of files."""

NOWHERE = "127.0.0.1:9"
"""Port 9 (discard): nothing listens here."""

REFUSED = "ERROR:"
"""Begins PostgreSQL's answer to a statement that it refuses. If a session ends, it begins with FATAL, or is missing."""


@dataclass(frozen=True)
class Guard:
    """What a connection needs that holds a lock to write.

    Attributes:
        holds_lock: Asks whether the lock is still held.
        shared: The tables of `if_free` that another process has locked.
        folder: The folder with the tables' files; None if it is none.
    """

    holds_lock: Callable[[], bool]
    shared: Collection[str]
    folder: Path | None


def is_shared(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether another process may delete rows of a table meanwhile, so that this one may only add some."""
    guard = _guard(connection)
    return guard is not None and table in guard.shared


@contextmanager
def guarded(connection: duckdb.DuckDBPyConnection) -> Iterator[Callable[[], object]]:
    """Yields a function that commits the connection's transaction.

    The transaction begins and ends within the body, also with a rollback.

    Raises:
        WarehouseUnreachable: The session that held the lock has ended. Nothing was written.
        WarehouseError: The catalog refused to commit. Nothing was written.
        CommitUnconfirmed: The connection to the catalog was lost: all of it was written, or nothing.
    """
    guard = _guard(connection)
    if guard is None:
        yield partial(connection.execute, "commit")
        return
    with files_kept(guard.folder) if guard.folder else nullcontext(lambda: None) as keep_files:

        def commit() -> None:
            keep_files()
            _commit(connection, nullcontext() if guard.folder else _nothing_deleted(connection))

        yield commit


def require_lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Checks that the connection's lock is still held, if it needs one to write.

    Raises:
        WarehouseUnreachable: The session that held the lock has ended.
    """
    guard = _guard(connection)
    if guard is not None and not guard.holds_lock():
        raise WarehouseUnreachable(
            "Nothing was written: the session that held the lock in the lake's catalog has ended. Run this again; if "
            "PostgreSQL has an idle_session_timeout, raise it",
            may_recover=True,
        )


def _commit(connection: duckdb.DuckDBPyConnection, nothing_deleted: AbstractContextManager[None]) -> None:
    require_lock(connection)
    try:
        with nothing_deleted:
            connection.execute("commit")
    except duckdb.Error as error:
        if is_conflict(error) or is_out_of_memory(error):
            raise
        said = catalog_message(error)
        if said.startswith(REFUSED):
            raise WarehouseError(
                f"Nothing was written: the lake's catalog refused the commit ({said}). Check its role's "
                "rights, and its disk",
                may_recover=not is_denial(error),
            ) from None
        raise CommitUnconfirmed(
            f"The lake's catalog did not confirm the commit ({said or 'no answer'}). All of it was written, or "
            "nothing. Run this again"
        ) from None


@contextmanager
def _nothing_deleted(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keeps a connection from deleting, reading or writing objects: its requests go where nothing listens."""
    settings = "select current_setting('http_proxy'), current_setting('http_retries')"
    [[proxy, retries]] = connection.execute(settings).fetchall()
    connection.execute(f"set http_proxy = '{NOWHERE}'; set http_retries = 0")
    try:
        yield
    finally:
        connection.execute(f"set http_proxy = {literal(proxy)}; set http_retries = {retries:d}")


@contextmanager
def files_kept(files: Path) -> Iterator[Callable[[], None]]:
    """Yields a function to call right before a commit: if the body fails after it, files deleted since then come back.

    Only files that were written while the body runs are kept. Only the folders of tables in which something was written
    are looked at, so a commit takes no longer in a lake with more files.

    Args:
        files: The folder with a folder for each schema, with one for each table.
    """
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=ASIDE, dir=files) as aside:
        begun = Path(aside).stat().st_mtime_ns
        kept: dict[Path, Path] = {}

        def keep() -> None:
            for folder in _changed_since(begun, files):
                for file in folder.rglob("*.parquet"):
                    # Writers of other tables delete files meanwhile.
                    with suppress(FileNotFoundError):
                        if file.stat().st_mtime_ns >= begun:
                            second = Path(aside) / file.name
                            link_or_copy(file, second)
                            kept[second] = file

        try:
            yield keep
        except BaseException:
            for second, file in kept.items():
                if not file.exists():
                    second.rename(file)
            raise


def _changed_since(begun: int, files: Path) -> Iterator[Path]:
    """The folders of tables in which files were created or deleted."""
    for schema in files.iterdir():
        if schema.is_dir() and not schema.name.startswith(ASIDE):
            for table in schema.iterdir():
                with suppress(FileNotFoundError):
                    if table.stat().st_mtime_ns >= begun and table.is_dir():
                        yield table


def _guard(connection: duckdb.DuckDBPyConnection) -> Guard | None:
    return getattr(connection, "guard", None)
