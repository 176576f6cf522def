"""What an API sends does not run away with memory: each run in a process of its own, whose peak is measured."""

import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets_tests.data_dirs import connected
from crm_assets_tests.processes import completed
from crm_assets_tests.scripted_crm import scripted_crm

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from Linux"),
]

RUN = """
import re
from pathlib import Path
from typing import Any
from crm_assets_tests.assets.raw_runs import materialize
run = materialize("open_tasks")
print()
print(run.success, re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def peak(answer: Callable[[], Response], data_dir: Path, **environment: str) -> tuple[bool, int]:
    """Whether a run that gets this answer, once or for ever, succeeds, and the most MiB of memory that it takes."""
    with scripted_crm() as crm:
        crm.faults.append(lambda seen: answer() if seen.page == 1 else None)
        environment = {**os.environ, **crm.settings(), "CRM_DATA_DIR": str(data_dir), **environment}
        done = completed([sys.executable, "-c", RUN], env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    success, kilobytes = done.stdout.split()[-2:]
    return success == "True", int(kilobytes) // 1024


def page(*records: dict[str, Any]) -> Callable[[], Response]:
    body = json.dumps({"tasks": records, "meta": {"total": len(records)}}).encode()
    return lambda: Response(body, media_type="application/json")


def wide(records: int, fields: int) -> list[dict[str, Any]]:
    return [
        {"id": id_} | {f"f_{n}": n if n % 2 else f"value {id_} {n}" for n in range(fields)} for id_ in range(records)
    ]


WIDE = {"a hundred records of 1,500 fields": (100, 1500, 600), "a record of 20,000 fields": (1, 20_000, 1024)}
"""Records, fields of each, and the most MiB that they may take."""


@pytest.mark.parametrize(("records", "fields", "most"), WIDE.values(), ids=WIDE)
def test_undeclared_fields_take_little_memory(records: int, fields: int, most: int, data_dir: Path) -> None:
    success, memory = peak(page(*wide(records, fields)), data_dir)
    assert success
    assert memory < most
    with connected() as connection:
        [[further, last]] = connection.execute(
            f"select len(json_keys(_further_fields)), _further_fields->>'f_{fields - 1}' from raw.open_tasks limit 1"
        ).fetchall()
    assert (further, last) == (fields - 500, str(fields - 1))


def test_fields_that_differ_by_record_take_little_memory(data_dir: Path) -> None:
    records: list[dict[str, Any]] = [{"id": id_} | {f"f_{id_}_{n}": n for n in range(1000)} for id_ in range(100)]
    success, memory = peak(page(*records), data_dir)
    assert success
    assert memory < 1024


HOSTILE: dict[str, tuple[Callable[[], bytes], bool]] = {
    "240 MB of records": (lambda: b'{"tasks": [' + b'{"a":1},' * 30_000_000 + b"{}]}", True),
    "millions of arrays": (lambda: b'{"tasks": [{"id": 1, "a": [' + b"[]," * 1_450_000 + b"[]]}]}", False),
    "a text of 60 MB": (lambda: b'{"tasks": [{"id": 1, "title": "' + b"0" * 60 * 2**20 + b'"}]}', True),
    "a hundred thousand side-loaded arrays": (
        lambda: json.dumps({"tasks": [{"id": 1}]} | {f"a{n}": [{"id": n}] for n in range(100_000)}).encode(),
        False,
    ),
}
"""What an answer holds -> its body, and whether it comes compressed."""


@pytest.mark.parametrize(
    ("body", "is_packed"),
    HOSTILE.values(),
    ids=HOSTILE,
)
def test_hostile_answers_take_less_than_a_gibibyte(body: Callable[[], bytes], is_packed: bool, data_dir: Path) -> None:
    content = gzip.compress(body(), 1) if is_packed else body()
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    _, memory = peak(lambda: Response(content, headers=headers, media_type="application/json"), data_dir)
    assert memory < 1024
