"""Whatever a load has too little memory for, every stored value is one that was sent."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from crm_assets.loading import load as loading
from crm_assets.loading.load import LOAD_MEMORY, NARROW, LoadPackage, little_memory, load
from crm_assets.loading.sync_log import ListRequest
from crm_assets.settings import DEFAULT_CRM
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.typing.batches import POSITION
from crm_assets.source.typing.side_loads import COLUMNS
from crm_assets.warehouse.duckdb_file import DuckDBFile
from crm_assets.warehouse.duckdb_messages import is_out_of_memory

pytestmark = pytest.mark.file

IS_LONG = settings().max_examples > 1000
"""A hundred sequences of loads with values of up to 60 MB then take about twenty minutes."""
LONGEST = 60_000_000 if IS_LONG else 6_000_000
LIMITS = ["16MiB", "24MiB", "32MiB", "64MiB", "128MiB"] if IS_LONG else ["16MiB", "20MiB"]
TEXTS = ("title", "description", "targetable_type", "undeclared")

Records = Mapping[int, Mapping[str, str | None]]

short_texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
long_texts = st.builds(
    lambda start, letter, length: start + letter * length,
    st.text("abc", max_size=4),
    st.sampled_from("Aé"),
    st.integers(0, LONGEST // 2) | st.integers(LONGEST // 2, LONGEST),
)
records = st.fixed_dictionaries(dict.fromkeys(TEXTS, short_texts))
reads = st.dictionaries(st.integers(1, 8), records, max_size=8)
long_records = st.builds(
    lambda record, column, text: {**record, column: text}, records, st.sampled_from(TEXTS), long_texts
)
loads = st.tuples(
    st.builds(
        lambda short, long: {**short, **long}, reads, st.dictionaries(st.integers(1, 8), long_records, max_size=2)
    ),
    st.sampled_from(LIMITS),
    st.none() | st.sampled_from(LIMITS),
)
"""Records; the memory limit of the first attempt; that of the second, none if it has plenty."""


def package_of(read: Records, folder: Path, load_id: str) -> LoadPackage:
    columns: dict[str, Any] = {"id": pa.array(list(read), pa.int64())}
    columns |= {name: pa.array([record[name] for record in read.values()], pa.string()) for name in TEXTS}
    columns[POSITION] = pa.array(range(len(read)), pa.int64())
    columns["_dlt_id"] = pa.array([load_id] * len(read), pa.string())
    pq.write_table(pa.table(columns), file := folder / f"{load_id}.parquet")
    return LoadPackage(
        crm=DEFAULT_CRM,
        load_id=load_id,
        files=[str(file)],
        types={"undeclared": "text"},
        rows=len(read),
        side_loads=COLUMNS.empty_table(),
        report=ReadReport("open_tasks", ids_read=len(read), incomplete_because=""),
        request=ListRequest("http://crm", "/tasks", "{}"),
        rows_forgotten=0,
        confirm=lambda _: None,
        vanishing_share=0.5,
        keep_log_days=0,
    )


class OutOfMemory(Exception):
    """The normal limit was too low as well."""


def loaded(connection: duckdb.DuckDBPyConnection, package: LoadPackage) -> None:
    try:
        load(connection, package)
    except duckdb.Error as error:
        if not is_out_of_memory(error):
            raise
        event("not loaded")
        raise OutOfMemory from error
    event("loaded")


def stored(database: Path) -> Records:
    with duckdb.connect(str(database)) as connection:
        found = connection.execute(f"select id, {', '.join(TEXTS)} from raw.open_tasks").fetchall()
    assert len({id_ for id_, *_ in found}) == len(found)
    return {id_: dict(zip(TEXTS, texts, strict=True)) for id_, *texts in found}


GOOD = {id_: dict.fromkeys(TEXTS, f"Good{id_}") for id_ in (1, 2, 3)}


@pytest.mark.slow
@example([({**GOOD, 4: dict.fromkeys(TEXTS) | {"title": "A" * 4_000_000}}, "16MiB", None)])  # a commit that fails
@example([({**GOOD, 4: dict.fromkeys(TEXTS) | {"title": "A" * 6_000_000}}, "16MiB", "16MiB")])  # the retry, too
@given(sequence=st.lists(loads, min_size=1, max_size=4 if IS_LONG else 1))
@settings(max_examples=100 if IS_LONG else 1)
def test_every_value_is_as_sent_whatever_the_memory(sequence: Sequence[tuple[Records, str, str | None]]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as monkeypatch:
        folder, database = Path(name), Path(name) / "crm.duckdb"
        expected: Records = {}
        for number, (read, first, second) in enumerate([(GOOD, "128MiB", None), *sequence]):
            monkeypatch.setattr(loading, "NARROW", NARROW.replace(LOAD_MEMORY, first))
            warehouse = DuckDBFile(database, 10, {"memory_limit": second} if second else {}, print)
            package = package_of(read, folder, str(number))
            with suppress(OutOfMemory), warehouse.connected(read_only=False) as connection:
                loaded(connection, package)
                expected = {**expected, **read}
            assert stored(database) == expected


@pytest.mark.slow
def test_a_long_list_with_repeated_ids_needs_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, few = 300_000, "48MiB"
    monkeypatch.setattr(loading, "NARROW", NARROW.replace(LOAD_MEMORY, few))
    package = package_of({}, tmp_path, "1")
    columns: dict[str, Any] = {"id": [*range(rows), *range(5)], POSITION: range(rows + 5)}
    columns |= {"title": ["first"] * rows + ["last"] * 5, "_dlt_id": [str(number) for number in range(rows + 5)]}
    columns["updated_at"] = [datetime(2026, 1, 1, tzinfo=timezone.utc)] * (rows + 5)
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), package.files[0])
    read = ReadReport("open_tasks", ids_read=rows, incomplete_because="")
    with DuckDBFile(tmp_path / "crm.duckdb", 10, {"memory_limit": few}, print).connected(read_only=False) as connection:
        load(connection, replace(package, rows=rows + 5, report=read))
        found = connection.execute("select title, count(*), max(id) from raw.open_tasks group by title order by title")
        assert found.fetchall() == [("first", rows - 5, rows - 1), ("last", 5, 4)]


def test_checks_after_a_load_have_as_little_memory(tmp_path: Path) -> None:
    limit = "select current_setting('memory_limit')"
    normal = {"memory_limit": "1GiB"}
    with DuckDBFile(tmp_path / "crm.duckdb", 10, normal, print).connected(read_only=False) as connection:
        with little_memory(connection):
            load(connection, package_of(GOOD, tmp_path, "1"))
            assert connection.execute(limit).fetchall() == [("128.0 MiB",)]
        assert connection.execute(limit).fetchall() == [("1.0 GiB",)]
