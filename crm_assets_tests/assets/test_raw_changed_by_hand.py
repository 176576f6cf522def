"""Columns and types that somebody changed by hand: the next load repairs them."""

import pytest

from crm_assets_tests.assets.declaring import Declarations, found, load, scores
from crm_assets_tests.assets.raw_runs import columns, rows
from crm_assets_tests.data_dirs import connected

pytestmark = pytest.mark.slow


def by_hand(sql: str) -> None:
    with connected(read_only=False) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(sql)


VARIANTS: dict[str, tuple[str, str, str]] = {
    "an instant": ("timestamptz", "2024-03-01 04:30:00+00", "2024-03-01T04:30:00Z"),
    "an integer": ("bigint", "7", "7"),
    "a truth value": ("boolean", "true", "true"),
    "an instant without a zone": ("timestamp", "2024-03-01 04:30:00", "2024-03-01 04:30:00"),
}
"""Type of an old variant -> a value, and its text."""


@pytest.mark.long
@pytest.mark.parametrize(("type_", "value", "text"), VARIANTS.values(), ids=VARIANTS)
def test_an_old_variant_that_is_no_text_becomes_one(type_: str, value: str, text: str) -> None:
    load({"id": 1}, {"id": 2, "due_date": "2024-03-01T00:00:00Z"})
    by_hand(
        f"alter table raw.open_tasks add column due_date__v_text {type_}; "
        f"update raw.open_tasks set due_date__v_text = '{value}' where id = 1",
    )
    load({"id": 3, "due_date": "n/a"})
    assert columns("open_tasks")["due_date__v_text"] == "VARCHAR"
    assert [beside for _, beside in found("due_date")] == [text, None, "n/a"]


def test_variants_move_into_a_column_whose_type_changes(declarations: Declarations) -> None:
    load(*scores(1, 2))
    by_hand(
        "alter table raw.open_tasks add column score__v_text boolean; "
        "update raw.open_tasks set score = null, score__v_text = true where id = 1",
    )
    declarations.declare(score="text")
    load()
    assert found() == [("true", None), ("2", None)]


BY_HAND: list[dict[str, str]] = [
    {"status": "integer", "id": "integer", "score": "integer", "due_date": "timestamp"},
    {"status": "hugeint", "id": "hugeint", "score": "hugeint"},
    {"status": "varchar"},
    {"status": "double"},
]
"""Types that somebody gave to columns: narrower, wider, others."""


@pytest.mark.long
@pytest.mark.file  # a lake refuses to narrow a type
@pytest.mark.parametrize("types", BY_HAND, ids=str)
def test_types_that_were_changed_by_hand_are_brought_back(types: dict[str, str]) -> None:
    sent = [{"id": id_, "status": 7, "due_date": "2024-03-01T00:00:00Z", "score": 5} for id_ in (1, 2)]
    texts = f"select {', '.join(f'{column}::varchar' for column in types)} from raw.open_tasks order by id"
    load(*sent)
    before = rows(texts)
    for column, type_ in types.items():
        by_hand(f"alter table raw.open_tasks alter {column} type {type_}")
    load(sent[1])
    declared = {
        "status": "BIGINT",
        "due_date": "TIMESTAMP WITH TIME ZONE",
        "id": "BIGINT",
        "score": "VARCHAR",  # undeclared
    }
    assert {column: columns("open_tasks")[column] for column in types} == {column: declared[column] for column in types}
    assert rows(texts) == before
