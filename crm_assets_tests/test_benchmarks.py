"""The benchmarks of `make bench` run, with few records. Their figures are in docs/speed.md."""

import sys
from collections.abc import Sequence

import pytest

from crm_assets_tests.clones import PROJECT
from crm_assets_tests.processes import completed

pytestmark = pytest.mark.long


def rows_of(script: str, *options: str) -> Sequence[Sequence[str]]:
    """The table that a benchmark prints, without its head."""
    command = [sys.executable, f"benchmarks/{script}", *options]
    done = completed(command, cwd=PROJECT, timeout=300)
    assert done.returncode == 0, done.stderr
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()[2:]]


def test_incremental_sync_misses_no_record() -> None:
    rows = rows_of("incremental_sync.py", "--rows", "400")
    assert len(rows) == 5
    assert {missing for *_, missing, _ in rows} == {"0"}


def test_raw_sync_compares_with_plain_dlt() -> None:
    variants = ("crm_assets", "plain dlt, parquet")
    options = ("--rows", "200", "--latency", "0", "--unknown-fields", "5", "--repeat", "1", "--variants", *variants)
    assert [row[3] for row in rows_of("raw_sync.py", *options)] == [*variants]
