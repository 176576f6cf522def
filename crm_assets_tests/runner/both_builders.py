"""The same raw tables in two databases, of which the runner builds one and dbt the other."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.loading.raw_tables import present_view
from crm_assets.loading.shared_tables import create_shared_tables
from crm_assets.runner.builds import Outcome, build, run_test
from crm_assets.runner.model import Model
from crm_assets.runner.unchanged import report_in, variables_of
from crm_assets.warehouse.lake.address import EXTENSIONS, allow_s3, connected_with, needs_aws
from crm_assets_tests.data_dirs import LAKES, connected
from crm_assets_tests.runner.dbt_commands import TIMEZONE, run_dbt

BUILDERS = ("runner", "dbt")
"""Names of the databases."""

VALUES_AND_NOT_ROWS = {"accepted_values"}
"""Kinds of tests of which dbt counts the wrong values, and the runner the rows that have them."""

Result = tuple[str | None, str | None, str, str, int | None]
"""Model (none of a singular test, which dbt attaches to nothing), column, kind or name, status, how many fail."""


@dataclass(frozen=True)
class Sync:
    """What both made of the same raw tables: the statements that attach their databases as they were right after."""

    attach: Sequence[str]
    runner_results: Counter[Result]
    dbt_results: Counter[Result]


def take_over(raw: Path, database: Path, instant: str) -> None:
    """Copies the raw tables alone, makes the views that loads make, and stops the clock.

    A macro of the database goes before DuckDB's own now().
    """
    with connected(database, read_only=False) as connection:
        connection.execute(f"attach '{raw}' as read (read_only); create schema if not exists raw")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'read' and schema_name = 'raw'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"create or replace table raw.{table} as from read.raw.{table}")
        create_shared_tables(connection)
        for resource in ENDPOINTS:
            connection.execute(present_view(connection, resource))
        connection.execute(f"create or replace macro main.now() as timestamptz '{instant}'")


def attaching(database: Path) -> str:
    """A statement that attaches a database as it is now, named after its builder, whatever is built later."""
    name = database.parent.name
    if lake := LAKES.get(database.parent):
        with connected(database) as connection:
            [[version]] = connection.execute("select id from ducklake_current_snapshot('lake')").fetchall()
        return f"attach '{lake['CRM_WAREHOUSE']}' as {name} (read_only, snapshot_version {version})"
    return f"attach '{shutil.copy(database, f'{database}.{uuid4().hex}')}' as {name} (read_only)"


@contextmanager
def attached(sync: Sync) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the databases `runner` and `dbt`, as they were after a sync."""
    is_lake = not needs_aws()  # its servers are configured
    with closing(connected_with(EXTENSIONS if is_lake else (), {})) as connection:
        if is_lake:
            allow_s3(connection)
        connection.execute(f"set TimeZone = 'UTC'; {'; '.join(sync.attach)}")
        yield connection


def built_by_runner(database: Path, models: Sequence[Model]) -> Counter[Result]:
    outcomes: list[tuple[Model, Outcome]] = []
    with connected(database, read_only=False) as connection:
        report_in(connection, TIMEZONE)
        for model in models:
            build(connection, model)
        variables = variables_of(connection)
        for model in models:
            tests = [test for test in model.data_tests if test.line]
            outcomes += [(model, run_test(connection, model, test, variables)) for test in tests]
    return Counter(
        result(
            None if outcome.test.kind == "singular" else model.stem,
            outcome.test.column,
            outcome.test.name if outcome.test.kind == "singular" else outcome.test.kind,
            {None: "pass", "error": "fail"}.get(outcome.severity, "warn"),
            outcome.failing,
        )
        for model, outcome in outcomes
    )


def built_by_dbt(project: Path, database: Path) -> Counter[Result]:
    run_dbt("build", database=database, project=project, environment=LAKES.get(database.parent))
    target = database.parent / "target"
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    return Counter(dbt_result(nodes[ran["unique_id"]], ran) for ran in results if ran["unique_id"].startswith("test."))


def dbt_result(node: dict[str, Any], ran: dict[str, Any]) -> Result:
    """A test's result in dbt's files."""
    model = node.get("attached_node")
    kind = node["test_metadata"]["name"] if model else node["name"]
    return result(model and model.rpartition(".")[2], node.get("column_name"), kind, ran["status"], ran["failures"])


def result(model: str | None, column: str | None, kind: str, status: str, failing: int) -> Result:
    return model, column, kind, status, None if kind in VALUES_AND_NOT_ROWS else failing


def install_extensions(home: Path) -> None:
    """Installs a lake's extensions where dbt looks for them."""
    [[platform]] = duckdb.execute("pragma platform").fetchall()
    for name in ("ducklake", "postgres_scanner", "httpfs"):
        [file] = Path(str(files(f"duckdb_extension_{name}"))).rglob("*.duckdb_extension")
        installed = home / ".duckdb" / "extensions" / file.parent.name / platform / file.name
        installed.parent.mkdir(parents=True, exist_ok=True)
        installed.symlink_to(file)
