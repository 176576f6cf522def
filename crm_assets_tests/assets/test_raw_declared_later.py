"""A field is declared, or declared otherwise, when its values are stored already: the table follows its declaration."""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm_assets.loading import load as loading
from crm_assets.loading.raw_tables import DUCKDB_TYPES
from crm_assets.source import schemas
from crm_assets.source.typing.columns import TYPES
from crm_assets_tests.assets.declaring import Declarations, found, load, scores
from crm_assets_tests.assets.raw_runs import columns, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow


def everything(database: Path | None = None) -> list[Any]:
    """All columns and rows of the raw tables' own."""
    return [columns("open_tasks", database), rows("from raw.open_tasks order by id", database)]


STORED: dict[str, list[Any]] = {
    "text": ["7", "007", "0.5", "true", "2024-01-05", "2024-01-05T10:00+05:30", "2024-01-05T10:00:00Z", "x", "", "1e3"],
    "bigint": [7, 0, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
    "double": [0.5, 3.0, -1e300, 1e16, 0.1234567891],
    "decimal": [7700, "0.5", "-12345678901234567890.123456789"],
    "bool": [True, False],
    "timestamp": ["2024-01-05T10:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"],
    "date": ["2024-01-05", "0001-01-01", "9999-12-31"],
    "json": [{"a": [1, None, 2**70]}, [], "x", 7, 0.5, True, "2024-01-05", "7"],
}
"""Type -> values that fit it, spelt as the column gives them back."""

CHANGES = [(old, new) for old in STORED for new in TYPES]
LATER = ["n/a", 4]
"""Values that come when the declaration has changed."""


@dataclass(frozen=True)
class Stored:
    """A table: the types of its columns, and what is in each column and in the variant beside it, by id."""

    types: dict[str, str]
    values: dict[str, list[tuple[Any, Any]]]

    @classmethod
    def of(cls, database: Path) -> "Stored":
        """All of the table in one query: in a lake a connection takes a second."""
        types, records = everything(database)
        by_column = dict(zip(types, zip(*records, strict=True), strict=True))
        nothing = (None,) * len(records)
        return cls(
            types,
            {
                column: list(zip(values, by_column.get(f"{column}__v_text", nothing), strict=True))
                for column, values in by_column.items()
            },
        )


@pytest.fixture(scope="module")
def changed_and_fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Stored]:
    """Two tables of the same records: declarations changed after the load, and declared so from the beginning."""
    records = [
        {"id": id_} | {f"{old}_{new}": STORED[old][id_] for old, new in CHANGES if id_ < len(STORED[old])}
        for id_ in range(max(map(len, STORED.values())))
    ]
    later = [
        {"id": id_} | {f"{old}_{new}": value for old, new in CHANGES} for id_, value in enumerate(LATER, len(records))
    ]
    before = {f"{old}_{new}": old for old, new in CHANGES}
    after = {f"{old}_{new}": new for old, new in CHANGES}
    folder = tmp_path_factory.mktemp("changed")
    with pytest.MonkeyPatch.context() as monkeypatch:
        declarations = Declarations(folder / "schemas", monkeypatch)
        use_data_dir(monkeypatch, folder / "changed")
        declarations.declare(**before)
        load(*records)
        declarations.declare(**after)
        load(*later)
        use_data_dir(monkeypatch, folder / "fresh")
        load(*records, *later)
        tables = Stored.of(folder / "changed" / "crm.duckdb"), Stored.of(folder / "fresh" / "crm.duckdb")
    schemas.resource_schema.cache_clear()
    return tables


@pytest.mark.long
@pytest.mark.parametrize(("old", "new"), CHANGES, ids=[f"{old} to {new}" for old, new in CHANGES])
def test_stored_values_are_converted_as_if_always_declared_so(
    old: str, new: str, changed_and_fresh: tuple[Stored, Stored]
) -> None:
    changed, fresh = changed_and_fresh
    field = f"{old}_{new}"
    assert changed.types[field] == DUCKDB_TYPES[new]
    assert changed.values[field] == fresh.values[field]
    sent = [pair for pair in changed.values[field] if pair != (None, None)]
    assert [pair.count(None) for pair in sent] == [1] * len(STORED[old] + LATER)


@pytest.mark.long
def test_variants_that_fit_the_new_type_move_into_the_column(declarations: Declarations) -> None:
    load(*scores(1))
    load(*scores(1, 0.5, "007", "2024-01-05", {"a": 1}))
    declarations.declare(score="decimal")
    load()
    assert found() == [(1, None), (Decimal("0.5"), None), (None, "007"), (None, "2024-01-05"), (None, '{"a":1}')]
    declarations.declare(score="json")
    load()
    column, beside = zip(*found(), strict=True)
    assert set(beside) == {None}
    assert list(map(json.loads, column)) == [1, "0.5", "007", "2024-01-05", {"a": 1}]
    declarations.declare(score="text")
    load()
    assert found() == [(text, None) for text in ("1", "0.5", "007", "2024-01-05", '{"a":1}')]


def test_field_spelled_otherwise_follows_the_declaration(declarations: Declarations) -> None:
    load({"id": 1, "leadScore": 1}, {"id": 2, "lead-score": 2})
    declarations.declare(lead_score="decimal")
    load({"id": 3, "leadScore": 0.5}, {"id": 4, "lead-score": "soon"})
    assert found("lead_score") == [(1, None), (2, None), (Decimal("0.5"), None), (None, "soon")]
    assert not [name for name in columns("open_tasks") if name.startswith("lead_score__h")]


def test_field_spelled_otherwise_beside_the_declared_one_has_its_own_column() -> None:
    load({"id": 1, "title": "declared"}, {"id": 2, "Title": "another"})
    load({"id": 3, "Title": "null is left out"})
    [own] = [name for name in columns("open_tasks") if name.startswith("title__h")]
    assert rows(f"select title, {own} from raw.open_tasks order by id") == [
        ("declared", None),
        (None, "another"),
        (None, "null is left out"),
    ]


@pytest.mark.long
def test_the_log_names_changes_and_shows_no_value(
    declarations: Declarations, capfd: pytest.CaptureFixture[str]
) -> None:
    load(*scores("Jane Doe", "7", "John Doe"))
    declarations.declare(score="bigint")
    capfd.readouterr()
    run = load()
    output = capfd.readouterr().err
    assert "raw.open_tasks: score is now BIGINT, was VARCHAR; in score__v_text: 2 values that did not fit" in output
    assert "Doe" not in output + run.everything_shown
    load()
    assert ", was " not in capfd.readouterr().err


def test_a_field_that_is_declared_no_more_stays_as_it_is(declarations: Declarations) -> None:
    declarations.declare(score="decimal")
    load(*scores("1.5", "x"))
    declarations.declare()
    load(*scores(2, "y", first=3))
    assert columns("open_tasks")["score"] == DUCKDB_TYPES["decimal"]
    assert found() == [(Decimal("1.5"), None), (None, "x"), (Decimal(2), None), (None, "y")]


@pytest.mark.long
@pytest.mark.parametrize("step", ["adapt_columns", "write_sync_log"])
def test_a_load_that_fails_half_way_leaves_everything_as_it_was(
    step: str, declarations: Declarations, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(*scores(1, 2))
    before = everything()
    declarations.declare(score="text")
    with monkeypatch.context() as patch, configured_crm(lists={"open_tasks": scores("n1")}):
        patch.setattr(loading, step, partial(_after, getattr(loading, step), _fail))
        assert not materialize("open_tasks").success
    assert everything() == before
    load(*scores("n1"))
    assert found() == [("n1", None), ("2", None)]


def _after(step: Any, then: Any, *arguments: Any) -> None:
    step(*arguments)
    then()


def _fail() -> None:
    raise duckdb.IOException("the disk is full")
