"""Snapshots: history as dbt keeps it, which neither a failure nor a second run can spoil."""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest

from crm_assets.errors import ModelError, ModelsRefused, WrongRows
from crm_assets.runner.builds import build
from crm_assets.runner.unchanged import report_in
from crm_assets_tests.runner.histories import CHECK, TIMESTAMP, history, overlaps, states
from crm_assets_tests.runner.model_project import ModelProject

pytestmark = pytest.mark.usefixtures("accounts")


def test_the_first_build_opens_a_row_for_each_record(project: ModelProject) -> None:
    project.build(history(project, **CHECK))

    assert states(project) == [(1, "ann", True), (2, "bob", True)]
    columns = [column for column, *_ in project.execute("describe snapshots.history")]
    assert columns[3:] == ["dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"]


CLEO = "update raw.accounts set owner = 'cleo', changed = changed + interval 1 day where id = 1"
CHANGED, SAME = [(1, "ann", False), (1, "cleo", True), (2, "bob", True)], [(1, "ann", True), (2, "bob", True)]
CHANGES: dict[str, tuple[dict[str, Any], str, list[tuple[Any, ...]]]] = {
    "another value": (CHECK, CLEO, CHANGED),
    "a new record": (CHECK, "insert into raw.accounts values (3, 'dan', null)", [*SAME, (3, "dan", True)]),
    "a column that is not checked": (CHECK, "update raw.accounts set changed = '2026-02-01'", SAME),
    "names in another case": ({"unique_key": "ID", "strategy": "timestamp", "updated_at": "CHANGED"}, CLEO, CHANGED),
    "a narrower type": (
        CHECK,
        "create or replace table raw.accounts as select * replace (7 as owner) from raw.accounts",
        [(1, "ann", False), (1, "7", True), (2, "bob", False), (2, "7", True)],
    ),
}
"""What has changed -> the snapshot, the change, and the versions of each record."""


@pytest.mark.parametrize(("config", "change", "expected"), CHANGES.values(), ids=CHANGES)
def test_a_change_closes_the_row_and_opens_another(
    project: ModelProject, config: dict[str, Any], change: str, expected: list[tuple[Any, ...]]
) -> None:
    model = history(project, **config)
    project.build(model)
    project.execute(change)
    project.build(model)

    assert states(project) == expected
    closed = project.execute("select dbt_valid_to from snapshots.history where dbt_valid_to is not null")
    assert {*closed} <= {*project.execute("select dbt_valid_from from snapshots.history")}


@pytest.mark.parametrize("config", [CHECK, TIMESTAMP], ids=["check", "timestamp"])
def test_a_build_that_sees_no_change_changes_nothing(project: ModelProject, config: dict[str, Any]) -> None:
    model = history(project, **config)
    project.build(model)
    before = project.rows("snapshots.history")
    project.build(model)

    assert project.rows("snapshots.history") == before


@pytest.mark.parametrize(("before", "after"), [(None, "ann"), ("ann", None)])
def test_a_value_that_comes_or_goes_is_a_change(project: ModelProject, before: str | None, after: str | None) -> None:
    model = history(project, **{**CHECK, "check_cols": "all"})
    project.execute("delete from raw.accounts where id = 2; update raw.accounts set owner = ?", [before])
    project.build(model)
    project.execute("update raw.accounts set owner = ?", [after])
    project.build(model)

    assert states(project) == [(1, before, False), (1, after, True)]


def test_the_timestamp_strategy_goes_by_the_records_own_time(project: ModelProject) -> None:
    model = history(project, **TIMESTAMP)
    project.build(model)
    project.execute("update raw.accounts set owner = 'old', changed = '2025-12-31' where id = 2")
    project.execute("update raw.accounts set owner = 'cleo', changed = '2026-02-01' where id = 1")
    project.build(model)

    assert states(project) == [(1, "ann", False), (1, "cleo", True), (2, "bob", True)]
    found = project.execute("select dbt_valid_from, dbt_valid_to from snapshots.history where id = 1")
    changed = datetime(2026, 2, 1)  # noqa: DTZ001 # as dbt keeps it
    assert sorted(found, key=str) == [(datetime(2026, 1, 1), changed), (changed, None)]  # noqa: DTZ001


@pytest.mark.parametrize("config", [CHECK, TIMESTAMP], ids=["check", "timestamp"])
def test_fields_called_like_a_snapshots_columns_change_nothing(project: ModelProject, config: dict[str, Any]) -> None:
    model = history(project, **config, hard_deletes="new_record")
    project.build(model)
    for column in ("dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted"):
        project.execute(f"alter table raw.accounts add column {column} int default 5")
    before = project.rows("snapshots.history")
    project.build(model)
    assert project.rows("snapshots.history") == before

    project.build(model, full_refresh=True)
    assert states(project) == [(1, "ann", True), (2, "bob", True)]


def test_a_new_column_is_added_and_earlier_rows_stay(project: ModelProject) -> None:
    model = history(project, **CHECK)
    project.build(model)
    project.execute("alter table raw.accounts add column city varchar")
    project.execute("update raw.accounts set owner = 'cleo', city = 'Ulm' where id = 1")
    project.build(model)

    found = project.execute("select owner, city from snapshots.history where id = 1 order by dbt_valid_from")
    assert found == [("ann", None), ("cleo", "Ulm")]


def test_a_new_checked_column_changes_records_that_have_a_value(project: ModelProject) -> None:
    project.build(history(project, **CHECK))
    project.execute(
        "alter table raw.accounts add column city varchar; update raw.accounts set city = 'Ulm' where id = 1"
    )
    project.build(history(project, **{**CHECK, "check_cols": ["owner", "city"]}))

    assert states(project) == [(1, "ann", False), (1, "ann", True), (2, "bob", True)]


def retyped(project: ModelProject, column: str) -> None:
    project.execute(f"create or replace table raw.accounts as select * replace ({column}) from raw.accounts")


@pytest.mark.parametrize("config", [CHECK, TIMESTAMP], ids=["check", "timestamp"])
@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("double", [1.5, 2.0]),
        ("bigint", [99_999_999_999, 2]),
        ("varchar", ["x", "2"]),
        ("decimal(18, 3)", [Decimal("1.555"), 2]),
    ],
)
def test_a_column_of_another_type_keeps_every_value(
    project: ModelProject, config: dict[str, Any], type_: str, values: list[Any]
) -> None:
    project.execute("alter table raw.accounts add column score int; update raw.accounts set score = id")
    model = history(project, **{**config, **({"check_cols": ["score"]} if config == CHECK else {})})
    project.build(model)
    retyped(project, f"score::{type_} as score")
    project.execute("update raw.accounts set score = ?, changed = changed + interval 1 day where id = 1", values[:1])
    for _ in range(2):
        project.build(model)

    found = project.execute("select score from snapshots.history order by id, dbt_valid_from")
    earlier, changed, same = [score for (score,) in found]
    assert (str(earlier)[0], changed, same) == ("1", *values)


def test_times_of_another_type_open_no_row_twice(project: ModelProject) -> None:
    model = history(project, **TIMESTAMP)
    retyped(project, "changed::date as changed")
    project.build(model)
    retyped(project, "changed::timestamp as changed")
    project.execute("update raw.accounts set changed = '2026-02-01 10:00', owner = 'cleo' where id = 1")
    for _ in range(3):
        project.build(model)

    assert states(project) == [(1, "ann", False), (1, "cleo", True), (2, "bob", True)]


def test_a_failed_build_loses_no_history(project: ModelProject) -> None:
    model = history(project, **CHECK)
    project.build(model)
    before = project.rows("snapshots.history")

    project.execute("update raw.accounts set owner = 'cleo'; insert into raw.accounts values (1, 'dan', null)")
    with pytest.raises(WrongRows, match="dbt_scd_id_unique: values of dbt_scd_id that occur more than once: 1"):
        project.build(model)
    project.execute("alter table raw.accounts drop column owner")
    with pytest.raises(ModelError, match=r"owner"):
        project.build(model)
    assert project.rows("snapshots.history") == before


def test_clock_that_goes_back_ends_no_row_before_it_begins(project: ModelProject) -> None:
    model = history(project, **CHECK)
    for day, owner in ((3, "ann"), (1, "bea"), (2, "cleo")):
        report_in(project.connection, "UTC", now=datetime(2026, 3, day, tzinfo=timezone.utc))
        project.execute("update raw.accounts set owner = ? where id = 1", [owner])
        project.build(model)

    assert states(project)[:-1] == [(1, "ann", False), (1, "bea", False), (1, "cleo", True)]
    assert overlaps(project) == []


@pytest.mark.parametrize("config", [TIMESTAMP, {**CHECK, "updated_at": "changed"}], ids=["timestamp", "check"])
@pytest.mark.parametrize("hard_deletes", ["invalidate", "new_record"])
def test_times_of_records_that_are_ahead_end_no_row_before_it_begins(
    project: ModelProject, config: dict[str, Any], hard_deletes: str
) -> None:
    model = history(project, **config, hard_deletes=hard_deletes)
    for day, owner, changed in ((3, "ann", "2026-04-01"), (1, "bea", "2026-03-02"), (2, "cleo", None)):
        report_in(project.connection, "UTC", now=datetime(2026, 3, day, tzinfo=timezone.utc))
        project.execute("delete from raw.accounts where id = 1")
        project.build(model)
        assert overlaps(project) == []
        project.execute("insert into raw.accounts values (1, ?, ?)", [owner, changed])
        project.build(model)
        assert overlaps(project) == []


def test_full_refresh_starts_from_scratch(project: ModelProject) -> None:
    model = history(project, **CHECK)
    project.build(model)
    project.execute("update raw.accounts set owner = 'cleo'")
    project.build(model, full_refresh=True)

    assert states(project) == [(1, "cleo", True), (2, "cleo", True)]


def test_key_of_several_columns_distinguishes_records(project: ModelProject) -> None:
    model = history(project, **{**CHECK, "unique_key": ["id", "changed"]})
    project.execute("insert into raw.accounts values (1, 'ann', '2026-02-01')")
    project.build(model)
    project.execute("update raw.accounts set owner = 'cleo' where changed = '2026-02-01'")
    project.build(model)

    assert states(project) == [(1, "ann", False), (1, "ann", True), (1, "cleo", True), (2, "bob", True)]


@pytest.mark.file
def test_two_connections_write_a_change_once(project: ModelProject) -> None:
    model = history(project, **CHECK)
    project.build(model)
    project.execute("update raw.accounts set owner = 'cleo' where id = 1")
    with project.connection.cursor() as second:
        project.build(model)
        build(second, model)

    assert states(project) == [(1, "ann", False), (1, "cleo", True), (2, "bob", True)]


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [(CHECK, "unique_key", ["id", "nope"]), (TIMESTAMP, "updated_at", "nope"), (CHECK, "check_cols", ["nope"])],
)
def test_configured_column_that_does_not_exist_is_named(
    project: ModelProject, config: dict[str, Any], key: str, value: object
) -> None:
    with pytest.raises(ModelError, match=rf"history\.yml:2: {key} names nope, but the SELECT has no such column"):
        project.build(history(project, **{**config, key: value}))


WRONG_CONFIG = {
    "no key": ({}, "snapshot needs unique_key: add it to config"),
    "strategy": ({**CHECK, "strategy": "guess"}, "config: strategy is 'guess': use one of check, timestamp"),
    "columns": ({"unique_key": "id", "strategy": "check"}, "check needs check_cols: add it to config"),
    "deletes": ({**CHECK, "hard_deletes": "keep"}, "config: hard_deletes is 'keep': use one of ignore"),
    "dbt's own": ({**CHECK, "target_schema": "x"}, "config: the key 'target_schema' cannot be used: write"),
}


@pytest.mark.file
@pytest.mark.parametrize(("config", "message"), WRONG_CONFIG.values(), ids=WRONG_CONFIG)
def test_a_snapshot_is_refused(project: ModelProject, config: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelsRefused, match=rf"history\.yml:\d+: history: {message}"):
        history(project, **config)
