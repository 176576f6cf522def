"""Fields that no schema declares: the first values choose a column's type, and every later value is kept as sent."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from crm_assets.loading import load as loading
from crm_assets.source.typing import batches
from crm_assets_tests.assets.raw_runs import columns, configured_crm, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir

pytestmark = pytest.mark.slow

FIRST: dict[str, tuple[Any, str]] = {
    "seat": (7, "BIGINT"),
    "active": (True, "BOOLEAN"),
    "ratio": (0.5, "DOUBLE"),
    "seen": ("2024-01-05T10:00:00Z", "VARCHAR"),
    "odd": ({"a": 1}, "JSON"),
}
"""Field -> its first value, and the type that the column has from then on."""

FITTING: dict[str, list[Any]] = {
    "seat": [-8, 2**63 - 1, "12"],
    "active": [False, "true"],
    "ratio": [-1.5, 3, 2**53, "0.25"],
    "seen": ["soon", "2024-01-06T10:00:00+05:30", ""],
    "odd": [{"b": None}, [1, "x"], "text", 5, 2**70, True],
}
"""Field -> later values of its type."""

OTHERS: dict[str, list[Any]] = {
    "seat": [
        *("007", "+7", "7_0", "-0", " 7", "7 ", "7.0", "1e1", "\u0667", "", "seven", "2024-01-05T10:00:00Z"),
        *(True, 0.5, 2**63, [7], {"n": 7}),
    ],
    "active": ["yes", "no", "True", "TRUE", "t", "1", "true ", "", 2, 1, 0, 0.0, [True], {"active": True}],
    "ratio": [2**53 + 1, -(2**53) - 1, 2**70, "0.50", ".5", "5e-1", "+0.5", "0_1.5", "1,5", "nan", "", True, [0.5], {}],
    "seen": [16000530423, 0.5, True, {"at": "2024-01-05T10:00:00Z"}, ["soon"]],
}
"""Field -> later values that are not of its type."""

LATER = {field: FITTING[field] + OTHERS.get(field, []) for field in FIRST}


def record(id_: int) -> dict[str, Any]:
    """Record 0 has all first values, the others one later value of each field."""
    if not id_:
        return {"id": 0} | {field: first for field, (first, _) in FIRST.items()}
    return {"id": id_} | {field: values[id_ - 1] for field, values in LATER.items() if id_ <= len(values)}


RECORDS = [record(id_) for id_ in range(max(map(len, LATER.values())) + 1)]

ARRIVALS = {
    "next batch": ([RECORDS], [1, len(RECORDS) - 1], 1),
    "next read": ([RECORDS[:1], RECORDS], (), 5000),
}
"""How later values come after the first: the lists of each read, the sizes of its pages, the records of a batch."""


def load(data_dir: Path, reads: Sequence[list[Any]], resource: str = "open_tasks", **arguments: Any) -> Path:
    """Reads lists one after the other; returns the database."""
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm(**arguments) as crm:
        use_data_dir(monkeypatch, data_dir)
        for records in reads:
            crm.lists[resource] = records
            run = materialize(resource)
            assert run.success, run.failure(resource)
    return data_dir / "crm.duckdb"


def kept(database: Path, resource: str, field: str, id_: int) -> tuple[Any, Any]:
    """A value's column and the variant beside it, if there is one."""
    return _column(database, resource, field)[id_]


@cache
def _column(database: Path, resource: str, field: str) -> dict[int, tuple[Any, Any]]:
    variant = f'"{field}__v_text"' if f"{field}__v_text" in columns(database, resource) else "null"
    found = rows(database, f'select id, "{field}", {variant} from raw.{resource}')
    return {id_: (value, beside) for id_, value, beside in found}


@cache
def _columns(database: Path) -> dict[str, str]:
    return columns(database, "open_tasks")


def text(value: Any) -> str:
    """A value as it stands in a text column."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@pytest.fixture(scope="module", params=ARRIVALS)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    reads, page_sizes, batch_rows = ARRIVALS[request.param]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(batches, "BATCH_ROWS", batch_rows)
        return load(tmp_path_factory.mktemp("later"), reads, page_sizes=page_sizes)


@pytest.mark.long
def test_the_first_values_choose_the_type_for_good(loaded: Path) -> None:
    assert {field: type_ for field, (_, type_) in FIRST.items()}.items() <= columns(loaded, "open_tasks").items()


@pytest.mark.parametrize("field", FIRST)
def test_a_value_that_fits_exactly_is_in_the_column(field: str, loaded: Path) -> None:
    for id_, value in enumerate([FIRST[field][0], *FITTING[field]]):
        found, variant = kept(loaded, "open_tasks", field, id_)
        assert variant is None
        assert json.loads(found) == value if field == "odd" else text(found) == text(value) or found == value


@pytest.mark.parametrize("field", OTHERS)
def test_any_other_value_is_kept_as_its_exact_text(field: str, loaded: Path) -> None:
    first_id = len(FITTING[field]) + 1
    for id_, value in enumerate(OTHERS[field], first_id):
        found = kept(loaded, "open_tasks", field, id_)
        # A text holds everything, and needs no column beside it.
        assert found == ((text(value), None) if field == "seen" else (None, text(value)))


def test_the_variant_column_is_text_and_exists_only_if_needed(loaded: Path) -> None:
    variants = {name: type_ for name, type_ in columns(loaded, "open_tasks").items() if "__v_" in name}
    assert variants == dict.fromkeys(["seat__v_text", "active__v_text", "ratio__v_text"], "VARCHAR")


TOGETHER: dict[str, tuple[list[Any], str]] = {
    "an integer, one beyond floats, a fraction": ([1, 9007199254740993, 0.5], "JSON"),
    "a fraction, and the largest integer of a float": ([0.5, 2**53], "DOUBLE"),
    "integers within and beyond 64 bits": ([1, 2**64, -(2**63)], "JSON"),
    "an integer and a text": ([7, "007"], "VARCHAR"),
    "a text, a truth value and an object": (["x", True, {"a": [1.5]}], "VARCHAR"),
    "truth values and numbers": ([True, 1, 0, 1.0], "JSON"),
    "truth values": ([True, None, False], "BOOLEAN"),
    "an array and an object": ([[1], None, {"1": 2}], "JSON"),
    "texts that look like dates": (["2024-01-05", "2024-01-05T10:00:00+05:30"], "VARCHAR"),
}
"""Values that come together, and the type of their column."""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    longest = max(len(values) for values, _ in TOGETHER.values())
    records = [
        {"id": id_} | {f"mix{n}": v[id_] for n, (v, _) in enumerate(TOGETHER.values()) if id_ < len(v)}
        for id_ in range(longest)
    ]
    return load(tmp_path_factory.mktemp("together"), [records])


@pytest.mark.parametrize("mix", TOGETHER)
def test_first_values_get_the_narrowest_type_for_all(mix: str, together: Path) -> None:
    column = f"mix{list(TOGETHER).index(mix)}"
    sent, type_ = TOGETHER[mix]
    found = [kept(together, "open_tasks", column, id_) for id_ in range(len(sent))]
    assert _columns(together)[column] == type_
    assert [variant for _, variant in found] == [None] * len(sent)
    as_sent = [json.loads(value) if type_ == "JSON" and value is not None else value for value, _ in found]
    expected = [text(value) for value in sent] if type_ == "VARCHAR" else sent
    assert list(map(repr, as_sent)) == list(map(repr, map(float, sent) if type_ == "DOUBLE" else expected))


@pytest.mark.long
def test_instants_at_both_ends_of_time_stop_no_incremental_read(data_dir: Path) -> None:
    at = ["9999-12-31T23:59:59-05:00", "9999-12-31T23:59:59Z", "2026-05-01T12:00:00Z", "0001-01-01T00:00:00+05:30"]
    records = [{"id": id_, "updated_at": text} for id_, text in enumerate(at)]
    with configured_crm(lists={"accounts": records}):
        assert [materialize("accounts", mode=mode).success for mode in ("full", "incremental", "incremental")] == [
            True
        ] * 3
    found = [kept(data_dir / "crm.duckdb", "accounts", "updated_at", id_) for id_ in range(4)]
    assert [variant for _, variant in found] == [at[0], None, None, at[3]]
    assert [instant for instant, _ in found][1:3] == [
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone.utc),
        datetime(2026, 5, 1, 12, tzinfo=timezone.utc),
    ]


@pytest.mark.long
def test_the_end_of_time_is_read_in_every_time_zone() -> None:
    with configured_crm(lists={"accounts": [{"id": 1, "updated_at": "9999-12-31T23:59:59Z"}]}) as crm:
        assert materialize("accounts").success
        code = (
            "from crm_assets_tests.assets.raw_runs import materialize;"
            "print(materialize('accounts', mode='incremental').metadata('accounts')['crm/mode'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | crm.settings() | {"TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.endswith("incremental\n"), done.stderr[-2000:]


@pytest.mark.long
def test_key_that_is_always_null_has_no_column_until_a_value(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = [{"id": id_, "title": "As it was", "unknown": None} for id_ in range(1, 4)]
    database = load(data_dir, [empty, empty])
    assert "unknown" not in columns(database, "open_tasks")
    assert rows(database, "select id, title from raw.open_tasks order by id") == [(n, "As it was") for n in (1, 2, 3)]

    monkeypatch.setattr(batches, "BATCH_ROWS", 1)
    valued = [{"id": 4, "unknown": 4}, {"id": 5, "unknown": None}, {"id": 6, "unknown": "x"}]
    load(data_dir, [[*empty, *valued]], page_sizes=[3, 1, 1, 1])
    assert columns(database, "open_tasks")["unknown"] == "BIGINT"
    assert rows(database, "select unknown, unknown__v_text from raw.open_tasks order by id") == [
        *[(None, None)] * 3,
        (4, None),
        (None, None),
        (None, "x"),
    ]


def test_a_field_named_like_a_variant_column_is_always_text(data_dir: Path) -> None:
    database = load(data_dir, [[{"id": 1, "title__v_text": "mine"}], [{"id": 2, "title__v_text": 5}]])
    [column] = [name for name in columns(database, "open_tasks") if "__v_" in name]
    assert rows(database, f'select "{column}" from raw.open_tasks order by id') == [("mine",), ("5",)]


def test_column_name_does_not_depend_on_other_records(data_dir: Path) -> None:
    alone = [{"id": 1, "title__v_text": "mine", "_dlt_id": "mine", "": "mine"}]
    apart = columns(load(data_dir / "apart", [alone]), "open_tasks")
    together = load(data_dir / "together", [[*alone, {"id": 2, "Seat": 1}, {"id": 3, "seat": 2}]])
    added = set(columns(together, "open_tasks")) - set(apart)
    assert added == {"seat"}
    assert rows(together, "select seat from raw.open_tasks order by id") == [(None,), (1,), (2,)]


def test_commit_out_of_memory_is_retried_with_more(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand columns take the 128 MiB that a load has; a hundred take less."""
    monkeypatch.setattr(loading, "NARROW", loading.NARROW.replace(loading.LOAD_MEMORY, "16MiB"))
    with configured_crm(lists={"open_tasks": [{"id": 1} | {f"field_{n}": n for n in range(100)}]}) as crm:
        assert materialize("open_tasks").success
        crm.lists["open_tasks"] = [{"id": 2, "new": 5}]
        assert materialize("open_tasks").success
    assert rows(data_dir / "crm.duckdb", "select id, new from raw.open_tasks order by id") == [(1, None), (2, 5)]
