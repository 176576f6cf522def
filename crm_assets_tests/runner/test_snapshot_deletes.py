"""Snapshots of records that are deleted, return, or change at a time of their own."""

from typing import Any

import pytest

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
    project: ModelProject, hard_deletes: str, gone: list[tuple[Any, ...]], back: list[tuple[Any, ...]]
) -> None:
    model = history(project, **CHECK, hard_deletes=hard_deletes)
    project.build(model)
    project.execute("create temp table away as from raw.accounts where id = 2; delete from raw.accounts where id = 2")
    for _ in range(2):
        project.build(model)
        assert states(project) == gone
    project.execute("insert into raw.accounts from away")
    project.build(model)

    assert states(project) == back


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
    project: ModelProject, hard_deletes: str, before: str, after: str
) -> None:
    model = history(project, **TIMESTAMP, hard_deletes=hard_deletes)
    project.execute("update raw.accounts set changed = ? where id = 2", [before])
    project.build(model)
    for owner in ("ben", "bea"):
        project.execute("delete from raw.accounts where id = 2")
        project.build(model)
        project.execute("insert into raw.accounts values (2, ?, ?)", [owner, after])
        project.execute("update raw.accounts set owner = ?, changed = changed + interval 1 day where id = 1", [owner])
        project.build(model)
        project.build(model)

    deleted = [("bob", False), ("ben", False)] if hard_deletes == "new_record" else []
    versions = [("bob", False), *deleted[:1], ("ben", False), *deleted[1:], ("bea", True)]
    other = [(1, "ann", False), (1, "ben", False), (1, "bea", True)]
    assert states(project) == [*other, *((2, *version) for version in versions)]
    assert overlaps(project) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param("2026-01-01", id="same"),
        pytest.param("2025-12-31", id="earlier", marks=pytest.mark.file),
        pytest.param(None, id="none", marks=pytest.mark.file),
    ],
)
def test_a_checked_change_is_recorded_whatever_its_time(project: ModelProject, changed: str | None) -> None:
    model = history(project, **CHECK, updated_at="changed")
    for owner in ("ann", "bob", "ann"):
        project.execute("update raw.accounts set owner = ?, changed = ? where id = 1", [owner, changed])
        project.build(model)

    assert states(project)[:-1] == [(1, "ann", False), (1, "bob", False), (1, "ann", True)]
    assert overlaps(project) == []


def test_a_record_without_a_time_is_recorded_once_it_has_one(project: ModelProject) -> None:
    model = history(project, **TIMESTAMP)
    for owner, changed in (("ann", None), ("cleo", None), ("dan", "2026-02-01")):
        project.execute("update raw.accounts set owner = ?, changed = ? where id = 1", [owner, changed])
        project.build(model)

    assert states(project) == [(1, "ann", False), (1, "dan", True), (2, "bob", True)]


def test_a_record_that_is_gone_is_marked(project: ModelProject) -> None:
    model = history(project, **CHECK, hard_deletes="new_record")
    project.build(model)
    project.execute("delete from raw.accounts where id = 2")
    project.build(model)

    marks = "select dbt_is_deleted from snapshots.history where id = 2 order by dbt_valid_from"
    assert project.execute(marks) == [("False",), ("True",)]
