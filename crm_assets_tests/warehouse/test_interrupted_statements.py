"""A statement that is interrupted ends at once, and is no failure that is tried again."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("where", ["transaction", "alone"])
def test_an_interrupted_statement_interrupts_the_step(where: str, tmp_path: Path) -> None:
    module = "crm_assets_tests.warehouse.interrupted_statements"
    command = [sys.executable, "-m", module, str(tmp_path / "crm.duckdb"), where]
    # DuckDB's threads would often go on, and whoever closes the connection would wait for them.
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "KeyboardInterrupt()"
