"""Snapshots: history as dbt keeps it, which neither a failure nor a second run can spoil."""

from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from crm_assets.errors import ModelError, ModelsRefused, WrongRows
from crm_assets.runner.builds import build
from crm_assets.runner.model import Model
from crm_assets_tests.runner.model_project import ModelProject

CHECK = {"unique_key": "id", "strategy": "check", "check_cols": ["owner"]}
TIMESTAMP = {"unique_key": "id", "strategy": "timestamp", "updated_at": "changed"}


@pytest.fixture
def connection(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Two accounts and their owners."""
    connection.execute(
        "set TimeZone = 'UTC'; create schema raw; create table raw.accounts (id int, owner varchar, changed timestamp)"
    )
    connection.execute("insert into raw.accounts values (1, 'ann', '2026-01-01'), (2, 'bob', '2026-01-01')")
    return connection


def history(project: ModelProject, **config: Any) -> Model:
    """The snapshot `snapshots.history` of the accounts."""
    entry = {"name": "history", "relation": "source('raw', 'accounts')", "config": config}
    project.write("snapshots/history.yml", yaml.safe_dump({"snapshots": [entry]}))
    return project.models()["snapshots.history"]


def states(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Record, owner, and whether the row is valid still."""
    return connection.execute(
        "select id, owner, dbt_valid_to is null from snapshots.history order by id, dbt_valid_from, dbt_valid_to"
    ).fetchall()


def overlaps(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Rows of a record that end before they begin, or after the next one begins."""
    return connection.execute(
        "select * from (select *, lead(dbt_valid_from) over (partition by id order by dbt_valid_from) as next "
        "from snapshots.history) where dbt_valid_to < dbt_valid_from or coalesce(dbt_valid_to > next, false)"
    ).fetchall()


def everything(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute("from snapshots.history order by all").fetchall()


def test_the_first_build_opens_a_row_for_each_record(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    build(connection, history(project, **CHECK))

    assert states(connection) == [(1, "ann", True), (2, "bob", True)]
    columns = [column for column, *_ in connection.execute("describe snapshots.history").fetchall()]
    assert columns[3:] == ["dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"]


def test_a_change_closes_the_row_and_opens_another(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **CHECK)
    build(connection, model)
    connection.execute(
        "update raw.accounts set owner = 'cleo' where id = 1; insert into raw.accounts values (3, 'dan', null)"
    )
    build(connection, model)

    assert states(connection) == [(1, "ann", False), (1, "cleo", True), (2, "bob", True), (3, "dan", True)]
    [(closed, opened)] = connection.execute(
        "select max(dbt_valid_to), max(dbt_valid_from) from snapshots.history where id = 1"
    ).fetchall()
    assert closed == opened


@pytest.mark.parametrize("config", [CHECK, TIMESTAMP], ids=["check", "timestamp"])
def test_a_build_that_sees_no_change_changes_nothing(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, config: dict[str, Any]
) -> None:
    model = history(project, **config)
    build(connection, model)
    before = everything(connection)
    build(connection, model)

    assert everything(connection) == before


def test_a_column_that_is_not_checked_makes_no_change(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **CHECK)
    build(connection, model)
    connection.execute("update raw.accounts set changed = '2026-02-01'")
    build(connection, model)

    assert states(connection) == [(1, "ann", True), (2, "bob", True)]


@pytest.mark.parametrize(("before", "after"), [(None, "ann"), ("ann", None)])
def test_a_value_that_comes_or_goes_is_a_change(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, before: str | None, after: str | None
) -> None:
    model = history(project, **{**CHECK, "check_cols": "all"})
    connection.execute("delete from raw.accounts where id = 2; update raw.accounts set owner = ?", [before])
    build(connection, model)
    connection.execute("update raw.accounts set owner = ?", [after])
    build(connection, model)

    assert states(connection) == [(1, before, False), (1, after, True)]


def test_the_timestamp_strategy_goes_by_the_records_own_time(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **TIMESTAMP)
    build(connection, model)
    connection.execute("update raw.accounts set owner = 'old', changed = '2025-12-31' where id = 2")
    connection.execute("update raw.accounts set owner = 'cleo', changed = '2026-02-01' where id = 1")
    build(connection, model)

    assert states(connection) == [(1, "ann", False), (1, "cleo", True), (2, "bob", True)]
    found = connection.execute("select dbt_valid_from, dbt_valid_to from snapshots.history where id = 1").fetchall()
    changed = datetime(2026, 2, 1)  # noqa: DTZ001 # as dbt keeps it
    assert sorted(found, key=str) == [(datetime(2026, 1, 1), changed), (changed, None)]  # noqa: DTZ001


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


@pytest.mark.parametrize("hard_deletes", ["invalidate", "new_record"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("2026-01-01", "2026-01-01", id="same time"),
        pytest.param("2026-01-01", "2025-12-31", id="earlier"),
        pytest.param("2026-01-01", "2026-01-02", id="before it was gone"),
        pytest.param("2026-01-01", None, id="no time any more"),
        pytest.param(None, None, id="never a time"),
        pytest.param(None, "2026-01-01", id="a time at last"),
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


@pytest.mark.parametrize("changed", ["2026-01-01", "2025-12-31", None], ids=["same", "earlier", "none"])
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


@pytest.mark.parametrize("config", [CHECK, TIMESTAMP], ids=["check", "timestamp"])
def test_fields_called_like_a_snapshots_columns_change_nothing(
    project: ModelProject, connection: duckdb.DuckDBPyConnection, config: dict[str, Any]
) -> None:
    model = history(project, **config, hard_deletes="new_record")
    build(connection, model)
    for column in ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted"):
        connection.execute(f"alter table raw.accounts add column {column} int default 5")
    before = everything(connection)
    build(connection, model)
    assert everything(connection) == before

    build(connection, model, full_refresh=True)
    assert states(connection) == [(1, "ann", True), (2, "bob", True)]


def test_a_record_that_is_gone_is_marked(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    model = history(project, **CHECK, hard_deletes="new_record")
    build(connection, model)
    connection.execute("delete from raw.accounts where id = 2")
    build(connection, model)

    marks = "select dbt_is_deleted from snapshots.history where id = 2 order by dbt_valid_from"
    assert connection.execute(marks).fetchall() == [("False",), ("True",)]


def test_a_new_column_is_added_and_earlier_rows_stay(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **CHECK)
    build(connection, model)
    connection.execute("alter table raw.accounts add column city varchar")
    connection.execute("update raw.accounts set owner = 'cleo', city = 'Ulm' where id = 1")
    build(connection, model)

    found = connection.execute(
        "select owner, city from snapshots.history where id = 1 order by dbt_valid_from"
    ).fetchall()
    assert found == [("ann", None), ("cleo", "Ulm")]


def test_a_new_checked_column_changes_records_that_have_a_value(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    build(connection, history(project, **CHECK))
    connection.execute(
        "alter table raw.accounts add column city varchar; update raw.accounts set city = 'Ulm' where id = 1"
    )
    build(connection, history(project, **{**CHECK, "check_cols": ["owner", "city"]}))

    assert states(connection) == [(1, "ann", False), (1, "ann", True), (2, "bob", True)]


def test_a_failed_build_loses_no_history(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    model = history(project, **CHECK)
    build(connection, model)
    before = everything(connection)

    connection.execute("update raw.accounts set owner = 'cleo'; insert into raw.accounts values (1, 'dan', null)")
    with pytest.raises(WrongRows, match="dbt_scd_id_unique: 1 values of dbt_scd_id occur more than once"):
        build(connection, model)
    connection.execute("alter table raw.accounts drop column owner")
    with pytest.raises(ModelError, match=r"owner"):
        build(connection, model)
    assert everything(connection) == before


def test_full_refresh_starts_from_scratch(project: ModelProject, connection: duckdb.DuckDBPyConnection) -> None:
    model = history(project, **CHECK)
    build(connection, model)
    connection.execute("update raw.accounts set owner = 'cleo'")
    build(connection, model, full_refresh=True)

    assert states(connection) == [(1, "cleo", True), (2, "cleo", True)]


def test_key_of_several_columns_distinguishes_records(
    project: ModelProject, connection: duckdb.DuckDBPyConnection
) -> None:
    model = history(project, **{**CHECK, "unique_key": ["id", "changed"]})
    connection.execute("insert into raw.accounts values (1, 'ann', '2026-02-01')")
    build(connection, model)
    connection.execute("update raw.accounts set owner = 'cleo' where changed = '2026-02-01'")
    build(connection, model)

    assert states(connection) == [(1, "ann", False), (1, "ann", True), (1, "cleo", True), (2, "bob", True)]


def test_two_connections_write_a_change_once(project: ModelProject, tmp_path: Path) -> None:
    model = history(project, **CHECK)
    with duckdb.connect(str(tmp_path / "w.duckdb")) as first, first.cursor() as second:
        first.execute("create schema raw; create table raw.accounts as select 1 as id, 'ann' as owner")
        build(first, model)
        first.execute("update raw.accounts set owner = 'bob'")
        build(first, model)
        build(second, model)

        assert states(first) == [(1, "ann", False), (1, "bob", True)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        pytest.param({}, "snapshot needs a unique_key: add the column", id="no key"),
        pytest.param(
            {**CHECK, "strategy": "guess"}, "config: strategy is 'guess': use one of check, timestamp", id="strategy"
        ),
        pytest.param(
            {"unique_key": "id", "strategy": "check"}, "strategy check needs check_cols: add it", id="columns"
        ),
        pytest.param({**CHECK, "check_cols": "owner"}, "check_cols is 'owner': write a list of columns", id="no list"),
        pytest.param(
            {**CHECK, "hard_deletes": "keep"}, "config: hard_deletes is 'keep': use one of ignore", id="deletes"
        ),
        pytest.param(
            {**CHECK, "target_schema": "x"},
            "config: the key 'target_schema' cannot be used: did you mean schema",
            id="dbt's own",
        ),
    ],
)
def test_a_snapshot_is_refused(project: ModelProject, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"history\.yml:\d+: history: {message}"):
        history(project, **config)
