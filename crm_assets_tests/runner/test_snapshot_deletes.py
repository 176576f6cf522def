"""Snapshots of records that are deleted, return, or change at a time of their own."""

from typing import Any

import duckdb
import pytest

from crm_assets.runner.builds import build
from crm_assets_tests.runner.histories import CHECK, TIMESTAMP, history, overlaps, states
from crm_assets_tests.runner.model_project import ModelProject

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hard_deletes", "gone", "back"),
    [
        ("ignore", [(1, "ann", True), (2, "bob", True)], [(1, "ann", True), (2, "bob", True)]),
        ("invalidate", [(1, "ann", True), (2, "bob", False)], [(1, "ann", True), (2, "bob", False), (2, "bob", True)]),
        (
            "new_record",
            [(1, "ann", True), (2, "bob", False), (2, "bob", True)],
            [(1, "ann", True), (2, "bob", False), (2, "bob", False), (2, "bob", True)],
        ),
    ],
)
def test_a_record_that_is_gone(
    project: ModelProject,
    connection: duckdb.DuckDBPyConnection,
    hard_deletes: str,
    gone: list[tuple[Any, ...]],
    back: list[tuple[Any, ...]],
) -> None:
    model = history(project, **CHECK, hard_deletes=hard_deletes)
    build(connection, model)
    connection.execute(
        "create temp table away as from raw.accounts where id = 2; delete from raw.accounts where id = 2"
    )
    for _ in range(2):
        build(connection, model)
        assert states(connection) == gone
    connection.execute("insert into raw.accounts from away")
    build(connection, model)

    assert states(connection) == back


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("hard_deletes", ["invalidate", "new_record"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("2026-01-01", "2026-01-01", id="same time"),
        pytest.param("2026-01-01", "2025-12-31", id="earlier", marks=pytest.mark.file),
        pytest.param("2026-01-01", "2026-01-02", id="before it was gone", marks=pytest.mark.file),
        pytest.param("2026-01-01", None, id="no time any more", marks=pytest.mark.file),
        pytest.param(None, None, id="never a time", marks=pytest.mark.file),
        pytest.param(None, "2026-01-01", id="a time at last", marks=pytest.mark.file),
    ],
)
def test_a_record_that_returns_has_another_row(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, hard_deletes: str, before: str, after: str
) -> None:
    model = history(project, **TIMESTAMP, hard_deletes=hard_deletes)
    connection.execute("update raw.accounts set changed = ? where id = 2", [before])
    build(connection, model)
    for owner in ("ben", "bea"):
        connection.execute("delete from raw.accounts where id = 2")
        build(connection, model)
        connection.execute("insert into raw.accounts values (2, ?, ?)", [owner, after])
        connection.execute(
            "update raw.accounts set owner = ?, changed = changed + interval 1 day where id = 1", [owner]
        )
        build(connection, model)
        build(connection, model)

    deleted = [("bob", False), ("ben", False)] if hard_deletes == "new_record" else []
    versions = [("bob", False), *deleted[:1], ("ben", False), *deleted[1:], ("bea", True)]
    other = [(1, "ann", False), (1, "ben", False), (1, "bea", True)]
    assert states(connection) == [*other, *((2, *version) for version in versions)]
    assert overlaps(connection) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param("2026-01-01", id="same"),
        pytest.param("2025-12-31", id="earlier", marks=pytest.mark.file),
        pytest.param(None, id="none", marks=pytest.mark.file),
    ],
)
def test_a_checked_change_is_recorded_whatever_its_time(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, changed: str | None
) -> None:
    model = history(project, **CHECK, updated_at="changed")
    for owner in ("ann", "bob", "ann"):
        connection.execute("update raw.accounts set owner = ?, changed = ? where id = 1", [owner, changed])
        build(connection, model)

    assert states(connection)[:-1] == [(1, "ann", False), (1, "bob", False), (1, "ann", True)]
    assert overlaps(connection) == []


def test_a_record_without_a_time_is_recorded_once_it_has_one(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **TIMESTAMP)
    for owner, changed in (("ann", None), ("cleo", None), ("dan", "2026-02-01")):
        connection.execute("update raw.accounts set owner = ?, changed = ? where id = 1", [owner, changed])
        build(connection, model)

    assert states(connection) == [(1, "ann", False), (1, "dan", True), (2, "bob", True)]


def test_a_record_that_is_gone_is_marked(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    model = history(project, **CHECK, hard_deletes="new_record")
    build(connection, model)
    connection.execute("delete from raw.accounts where id = 2")
    build(connection, model)

    marks = "select dbt_is_deleted from snapshots.history where id = 2 order by dbt_valid_from"
    assert connection.execute(marks).fetchall() == [("False",), ("True",)]
