"""Fields that no schema declares: the first values choose a column's type, and every later value is kept as sent."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from crm_assets.loading import load as loading
from crm_assets.source.typing import batches
from crm_assets_tests.assets.raw_runs import columns, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.processes import completed
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.slow

FIRST: dict[str, tuple[Any, str]] = {
    "seat": (7, "BIGINT"),
    "active": (True, "BOOLEAN"),
    "ratio": (0.5, "DOUBLE"),
    "seen": ("2024-01-05T10:00:00Z", "VARCHAR"),
    "odd": ({"a": 1}, "JSON"),
}
"""Field -> its first value, and the type that the column has from then on. `test_columns.py` has more values."""

RECORDS: list[dict[str, Any]] = [
    {"id": 0} | {field: first for field, (first, _) in FIRST.items()},
    {"id": 1, "seat": "12", "active": "true", "ratio": 2**53, "seen": "", "odd": [1, "x"]},
    {"id": 2, "seat": "007", "active": "yes", "ratio": 2**53 + 1, "seen": 0.5, "odd": 2**70},
]
"""First values, later ones that fit their columns, and others."""

FOUND = """
select seat, seat__v_text, active, active__v_text, ratio, ratio__v_text, seen, odd::varchar
from raw.open_tasks
order by id
"""

ARRIVALS = {"next batch": ([RECORDS], [1, 2], 1), "next read": ([RECORDS[:1], RECORDS], (), 5000)}
"""How later values come after the first: the lists of each read, the sizes of its pages, the records of a batch."""


def load(data_dir: Path, reads: Sequence[list[Any]], **arguments: Any) -> Path:
    """Reads lists one after the other; returns the database."""
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(**arguments) as crm:
        use_data_dir(monkeypatch, data_dir)
        for records in reads:
            crm.lists["open_tasks"] = records
            run = materialize("open_tasks")
            assert run.success, run.failure("open_tasks")
    return data_dir / "crm.duckdb"


@pytest.fixture(scope="module", params=ARRIVALS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reads, page_sizes, batch_rows = ARRIVALS[request.param]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(batches, "BATCH_ROWS", batch_rows)
        return load(tmp_path_factory.mktemp("later"), reads, page_sizes=page_sizes)


@pytest.mark.long
def test_the_first_values_choose_the_type_for_good(loaded: Path) -> None:
    types = columns("open_tasks", loaded)
    assert {field: type_ for field, (_, type_) in FIRST.items()}.items() <= types.items()
    variants = {name: type_ for name, type_ in types.items() if "__v_" in name}
    assert variants == dict.fromkeys(["seat__v_text", "active__v_text", "ratio__v_text"], "VARCHAR")


def test_a_later_value_is_in_its_column_or_as_text_beside_it(loaded: Path) -> None:
    assert rows(FOUND, loaded) == [
        (7, None, True, None, 0.5, None, "2024-01-05T10:00:00Z", '{"a":1}'),
        (12, None, True, None, 2.0**53, None, "", '[1,"x"]'),
        (None, "007", None, "yes", None, str(2**53 + 1), "0.5", str(2**70)),
    ]


@pytest.mark.long
def test_instants_at_both_ends_of_time_stop_no_incremental_read() -> None:
    at = ["9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59Z", "2026-05-01T12:00:00Z", "0001-01-01T00:00:00+05:30"]
    records = [{"id": id_, "updated_at": text} for id_, text in enumerate(at)]
    with configured_crm(lists={"accounts": records}):
        assert all(materialize("accounts", mode=mode).success for mode in ("full", "incremental", "incremental"))
    stored = "select updated_at, updated_at__v_text from raw.accounts order by id"
    assert rows(stored) == [
        (None, at[0]),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc), None),
        (datetime(2026, 5, 1, 12, tzinfo=timezone.utc), None),
        (None, at[3]),
    ]


@pytest.mark.long
def test_the_end_of_time_is_read_in_every_time_zone() -> None:
    with configured_crm(lists={"accounts": [{"id": 1, "updated_at": "9999-12-31T23:59:59Z"}]}) as crm:
        assert materialize("accounts").success
        code = (
            "from crm_assets_tests.assets.raw_runs import materialize;"
            "print(materialize('accounts', mode='incremental').metadata('accounts')['crm/mode'])"
        )
        done = completed([sys.executable, "-c", code], env=os.environ | crm.settings() | {"TZ": "Asia/Tokyo"})
    assert done.stdout.endswith("incremental\n"), done.stderr[-2000:]


@pytest.mark.long
def test_key_that_is_always_null_has_no_column_until_a_value(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = [{"id": id_, "title": "As it was", "unknown": None} for id_ in range(1, 4)]
    database = load(data_dir, [empty, empty])
    assert "unknown" not in columns("open_tasks", database)
    assert rows("select id, title from raw.open_tasks order by id", database) == [(n, "As it was") for n in (1, 2, 3)]

    monkeypatch.setattr(batches, "BATCH_ROWS", 1)
    valued = [{"id": 4, "unknown": 4}, {"id": 5, "unknown": None}, {"id": 6, "unknown": "x"}]
    load(data_dir, [[*empty, *valued]], page_sizes=[3, 1, 1, 1])
    assert columns("open_tasks", database)["unknown"] == "BIGINT"
    assert rows("select unknown, unknown__v_text from raw.open_tasks order by id", database) == [
        *[(None, None)] * 3,
        (4, None),
        (None, None),
        (None, "x"),
    ]


def test_a_field_named_like_a_variant_column_is_always_text(data_dir: Path) -> None:
    database = load(data_dir, [[{"id": 1, "title__v_text": "mine"}], [{"id": 2, "title__v_text": 5}]])
    [column] = [name for name in columns("open_tasks", database) if "__v_" in name]
    assert rows(f'select "{column}" from raw.open_tasks order by id', database) == [("mine",), ("5",)]


def test_column_name_does_not_depend_on_other_records(data_dir: Path) -> None:
    alone = [{"id": 1, "title__v_text": "mine", "_dlt_id": "mine", "": "mine"}]
    apart = columns("open_tasks", load(data_dir / "apart", [alone]))
    together = load(data_dir / "together", [[*alone, {"id": 2, "Seat": 1}, {"id": 3, "seat": 2}]])
    added = set(columns("open_tasks", together)) - set(apart)
    assert added == {"seat"}
    assert rows("select seat from raw.open_tasks order by id", together) == [(None,), (1,), (2,)]


def test_commit_out_of_memory_is_retried_with_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand columns take the 128 MiB that a load has; a hundred take less."""
    monkeypatch.setattr(loading, "NARROW", loading.NARROW.replace(loading.LOAD_MEMORY, "16MiB"))
    with configured_crm(lists={"open_tasks": [{"id": 1} | {f"field_{n}": n for n in range(100)}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = [{"id": 2, "new": 5}]
        assert materialize("open_tasks").success
    assert rows("select id, new from raw.open_tasks order by id") == [(1, None), (2, 5)]
