"""Undocumented behaviour of DuckDB that the project uses. A failure names what an upgrade has changed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from crm_assets.warehouse.duckdb_messages import line, lock_holder, reason


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory."""
    with duckdb.connect() as connection:
        yield connection


def refused(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Error:
    """How DuckDB refuses a statement."""
    with pytest.raises(duckdb.Error) as raised:
        connection.execute(sql)
    return raised.value


def test_duckdb_says_who_has_the_file_open(tmp_path: Path) -> None:
    database = tmp_path / "crm.duckdb"
    code = f"import duckdb; held = duckdb.connect({str(database)!r}); print('held', flush=True); input()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(duckdb.IOException) as raised:
            duckdb.connect(str(database))
        process.kill()
    holder = lock_holder(raised.value)
    assert holder is not None, f"DuckDB: a file that another process has open is refused in other words: {raised.value}"
    assert str(process.pid) in holder, f"DuckDB: who has the file open is said in other words: {raised.value}"
    assert "\n" not in holder, f"DuckDB: the sentence about who has the file open ends otherwise: {raised.value}"
    assert "See" not in holder, f"DuckDB: the sentence about who has the file open ends otherwise: {raised.value}"


def test_duckdb_points_at_the_line(connection: duckdb.DuckDBPyConnection) -> None:
    error = refused(connection, "select\n    1,\n    nonsense")
    assert line(error) == 3, f"DuckDB: the line of an error is worded differently: {error}"
    assert "nonsense" in reason(error), f"DuckDB: the reason no longer stands before the line: {error}"
    assert "LINE" not in reason(error), f"DuckDB: the line of an error is worded differently: {error}"


SENT = ["Good1", "Good2", "Good3"]


def texts_after_a_failed_commit(database: Path, *, reopen: bool) -> list[str]:
    """Stores three short texts, and in a second transaction replaces them with the same and adds one of 6 MB.

    Its first attempt has too little memory, the second has enough.
    """
    sent = f"select unnest([1, 2, 3]) as id, unnest({SENT}) as text"
    more = ", ".join(f"null::varchar as column_{n}" for n in range(10))
    long_text = "select 4 as id, repeat('A', 6_000_000) as text"
    connection = duckdb.connect(str(database))
    connection.execute(f"create table t as {sent}, {more}")
    connection.close()

    def replace_all() -> None:
        connection.begin()
        connection.execute("delete from t")
        connection.execute(f"insert into t by name {sent}")
        connection.execute(f"insert into t by name {long_text}")
        connection.commit()

    connection = duckdb.connect(str(database))
    connection.execute("set memory_limit = '16MiB'; set threads = 1; set preserve_insertion_order = false")
    with suppress(duckdb.Error):
        replace_all()
        return SENT  # this version can do it with less memory
    if reopen:
        connection.close()
        connection = duckdb.connect(str(database))
    else:
        connection.execute("set memory_limit = '4GiB'")
        with suppress(duckdb.Error):
            connection.rollback()
    replace_all()
    connection.close()
    with duckdb.connect(str(database)) as connection:
        return [text for (text,) in connection.execute("select text from t where id < 4 order by id").fetchall()]


def test_duckdb_keeps_texts_if_reopened_after_a_failed_commit(tmp_path: Path) -> None:
    assert texts_after_a_failed_commit(tmp_path / "reopened.duckdb", reopen=True) == SENT
    mixed_up = texts_after_a_failed_commit(tmp_path / "same_instance.duckdb", reopen=False) != SENT
    assert mixed_up == (duckdb.__version__ < "2"), (
        f"DuckDB {duckdb.__version__}: whether a failed commit mixes up texts has changed. Once pyproject.toml allows "
        "no version with this fault, Reconnecting in warehouse/transactions.py is not needed for it"
    )
