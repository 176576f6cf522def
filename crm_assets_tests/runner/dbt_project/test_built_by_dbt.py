"""dbt itself builds the exported project: over three syncs of the living sandbox its tables are the runner's."""

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm_assets.api import ENDPOINTS, INCLUDE
from crm_assets.loading.present import present_view
from crm_assets.loading.sync_log import create_log_tables
from crm_assets.runner.builds import build
from crm_assets.runner.data_test_runs import Outcome, run_test
from crm_assets.runner.dbt_project.rendering import project_files
from crm_assets.runner.dbt_project.writing import write_project
from crm_assets.runner.files import MODELS_DIR
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.timezone import report_in
from crm_assets.sandbox import serving_sandbox
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.runner.model_project import ModelProject

ROOT = Path(__file__).parents[3]
DBT = ROOT / ".venv-dbt" / "bin" / "dbt"

pytestmark = [
    pytest.mark.dbt,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DBT.exists(), reason="dbt is not installed: make test-dbt installs it, and runs this"),
]

TIMEZONE = "America/New_York"
SYNCS = (
    ("2026-03-06T15:00:00+00:00", "full"),
    ("2026-03-08T06:30:00+00:00", "incremental"),
    ("2026-03-09T03:30:00+00:00", "full"),
)
"""Instant and mode; in between, summer time begins in the reporting time zone."""

ALL_KINDS = """
models:
  - name: all_kinds
    description: One row a number.
    data_tests:
      - dbt_utils.unique_combination_of_columns:
          arguments: {combination_of_columns: [parity, half]}
          config: {severity: warn}
      - dbt_utils.expression_is_true: {name: at_most_two, arguments: {expression: n <= 2}, config: {severity: warn}}
    columns:
      - name: n
        description: The number.
        data_tests:
          - unique
          - dbt_utils.accepted_range: {arguments: {min_value: 2, max_value: 4}, config: {severity: warn}}
          - relationships: {arguments: {to: seeds.written, field: number}, config: {severity: warn}}
      - name: parity
        description: Whether it is odd.
        data_tests:
          - unique: {config: {severity: warn}}
          - not_null: {config: {severity: warn}}
          - accepted_values: {arguments: {values: [even]}, config: {severity: warn}}
      - name: half
        description: Half of it.
"""
EVERY_WAY = {
    "marts/all_kinds.sql": """
        select
            cast(n as bigint) as n,
            case n % 2 when 1 then 'odd' when 0 then 'even' end as parity,
            cast(n // 2 as bigint) as half
        from unnest([1, 2, 3, 4, 5, null]) as numbers (n)
        where n is not null
        """,
    "marts/all_kinds.yml": ALL_KINDS,
    "marts/by_two_keys.sql": """
        select
            owner_id,
            cast(now() at time zone getvariable('reporting_timezone') as date) as day,
            count(*) as accounts
        from staging.stg_accounts
        where owner_id is not null
        group by all
        """,
    "marts/by_two_keys.yml": """
        models:
          - name: by_two_keys
            description: One row an owner and day.
            config: {materialized: incremental, unique_key: [day, owner_id]}
            data_tests: [{dbt_utils.expression_is_true: {name: some, arguments: {expression: accounts > 0}}}]
            columns:
              - {name: day, description: The day.}
              - {name: owner_id, description: The owner.}
              - {name: accounts, description: Number of accounts.}
        """,
    "seeds/written.csv": 'number,half,name,day,truth\n1,0.5,one,2026-01-01,true\n2,1,,,false\n3,1.5,"a, b",,\n',
    "snapshots/more.yml": """
        snapshots:
          - name: contacts_by_time
            relation: staging.stg_contacts
            config: {unique_key: contact_id, strategy: timestamp, updated_at: updated_at, hard_deletes: new_record}
          - name: tasks_as_they_were
            relation: present.open_tasks
            config: {unique_key: id, strategy: check, check_cols: all}
        """,
    "tests/no_odd_numbers.sql": "select n from marts.all_kinds where parity = 'odd'",
    "tests/tests.yml": """
        data_tests:
          - {name: no_odd_numbers, description: All are even., config: {severity: warn}}
        """,
}
"""Beside the project's own models: each kind of test with rows that fail it, and all ways to keep rows."""

VALUES_AND_NOT_ROWS = {"accepted_values"}
"""Kinds of tests of which dbt counts the wrong values, and the runner the rows that have them."""

Result = tuple[str | None, str | None, str, str, int | None]
"""Model (none of a singular test, which dbt attaches to nothing), column, kind or name, status, how many fail."""


@dataclass(frozen=True)
class Sync:
    """What both made of the same raw tables. The databases are copies of the time right after."""

    runner: Path
    dbt: Path
    runner_results: Counter[Result]
    dbt_results: Counter[Result]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    folder = tmp_path_factory.mktemp("models") / "models"
    shutil.copytree(MODELS_DIR, folder)
    for file, text in EVERY_WAY.items():
        ModelProject(folder).write(file, text)
    known = {model.address: model for model in load_models(folder)}
    order = TopologicalSorter({address: sorted(model.depends_on) for address, model in known.items()}).static_order()
    return [known[address] for address in order if address in known]


@pytest.fixture(scope="module")
def syncs(models: list[Model], tmp_path_factory: pytest.TempPathFactory) -> list[Sync]:
    folder = tmp_path_factory.mktemp("syncs")
    runner, dbt, project = folder / "runner.duckdb", folder / "dbt.duckdb", folder / "project"
    write_project(project, project_files(models, str(dbt), TIMEZONE))
    made = []
    for number, raw in enumerate(read_sandbox(folder)):
        for database in (runner, dbt):
            take_over(raw, database, SYNCS[number][0])
        runner_results, dbt_results = built_by_runner(runner, models), built_by_dbt(project, models)
        copies = [Path(shutil.copy(database, folder / f"{number}_{database.name}")) for database in (runner, dbt)]
        made.append(Sync(copies[0], copies[1], runner_results, dbt_results))
    return made


def read_sandbox(folder: Path) -> Iterator[Path]:
    """The database after each sync, as the raw assets leave it."""
    now = datetime.fromisoformat(SYNCS[0][0])
    endpoints = {name: {"params": {INCLUDE: ",".join(e.includes)}} for name, e in ENDPOINTS.items() if e.includes}
    with serving_sandbox(now=lambda: now, rows=1000) as sandbox, pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRM_DATA_DIR", str(folder))
        environment.setenv("SOURCES__CRM__BASE_URL", sandbox.base_url)
        environment.setenv("SOURCES__CRM__API_KEY", sandbox.api_key)
        environment.setenv("SOURCES__CRM__ENDPOINTS", json.dumps(endpoints))
        for instant, mode in SYNCS:
            now = datetime.fromisoformat(instant)
            assert materialize(mode=mode).success
            yield folder / "crm.duckdb"


def take_over(raw: Path, database: Path, instant: str) -> None:
    """Copies the raw tables alone, and stops the clock: a macro of the database goes before DuckDB's own now()."""
    with duckdb.connect(str(database)) as connection:
        connection.execute(f"attach '{raw}' as read (read_only); create schema if not exists raw")
        tables = connection.execute(
            "select table_name from duckdb_tables() where database_name = 'read' and schema_name = 'raw'"
        ).fetchall()
        for (table,) in tables:
            connection.execute(f"create or replace table raw.{table} as from read.raw.{table}")
        connection.execute(f"create or replace macro main.now() as timestamptz '{instant}'")


def built_by_runner(database: Path, models: Sequence[Model]) -> Counter[Result]:
    outcomes: list[tuple[Model, Outcome]] = []
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_log_tables(connection)
        for resource in ENDPOINTS:
            connection.execute(present_view(connection, resource))
        report_in(connection, TIMEZONE)
        for model in models:
            build(connection, model)
        for model in models:
            outcomes += [(model, run_test(connection, model, test)) for test in model.data_tests]
    return Counter(
        result(
            None if outcome.test.kind == "singular" else model.name,
            outcome.test.column,
            outcome.test.given_name or outcome.test.kind.removeprefix("dbt_utils."),
            "pass" if outcome.passed else {"error": "fail"}.get(outcome.test.severity, outcome.test.severity),
            outcome.failing,
        )
        for model, outcome in outcomes
    )


def built_by_dbt(project: Path, models: Sequence[Model]) -> Counter[Result]:
    ran = run_dbt("build", project=project)
    assert ran.returncode == 0, ran.stdout
    nodes = json.loads((project / "target" / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results = json.loads((project / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    names = {test.given_name for model in models for test in model.data_tests}
    return Counter(
        dbt_result(nodes[ran["unique_id"]], ran, names) for ran in results if ran["unique_id"].startswith("test.")
    )


def run_dbt(*arguments: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [DBT, *arguments, "--profiles-dir", ".", "--no-use-colors"],
        cwd=project,
        env={"PATH": os.defpath, "HOME": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def dbt_result(node: dict[str, Any], ran: dict[str, Any], given_names: set[str | None]) -> Result:
    """A test's result in dbt's files."""
    model = node.get("attached_node")
    kind = node["name"] if node["name"] in given_names else node["test_metadata"]["name"]
    return result(model and model.rpartition(".")[2], node.get("column_name"), kind, ran["status"], ran["failures"])


def result(model: str | None, column: str | None, kind: str, status: str, failing: int) -> Result:
    return model, column, kind, status, None if kind in VALUES_AND_NOT_ROWS else failing


@pytest.fixture(params=range(len(SYNCS)), ids=lambda number: f"sync {number + 1}")
def sync(request: pytest.FixtureRequest, syncs: list[Sync]) -> Sync:
    made: Sync = syncs[request.param]
    return made


@pytest.fixture
def both(sync: Sync) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach '{sync.runner}' as runner (read_only)")
        connection.execute(f"attach '{sync.dbt}' as dbt (read_only)")
        yield connection


def test_each_table_has_the_runners_columns_and_types(both: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    for model in models:
        runner, dbt = (
            both.execute(f"select column_name, column_type from (describe {name}.{model.relation})").fetchall()
            for name in ("runner", "dbt")
        )
        assert dbt == runner, model.address


def test_each_table_has_the_runners_rows(both: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    for model in models:
        runner, dbt = f"runner.{model.relation}", f"dbt.{model.relation}"
        for some, others in ((runner, dbt), (dbt, runner)):
            more = both.execute(f"from {some} except all from {others} limit 3").fetchall()
            assert not more, f"only in {some}"


def test_each_exported_test_finds_the_same_rows_as_the_runner(sync: Sync) -> None:
    assert sync.dbt_results == sync.runner_results
    assert {status for _, _, _, status, _ in sync.dbt_results} == {"pass", "warn"}


def test_each_table_and_column_is_described_as_by_the_runner(both: duckdb.DuckDBPyConnection) -> None:
    def comments(database: str) -> list[tuple[Any, ...]]:
        return both.execute(
            "select schema_name, table_name, column_name, trim(coalesce(comment, ''), e' \\n') from duckdb_columns() "
            f"where database_name = '{database}' and schema_name in ('seeds', 'staging', 'snapshots', 'marts') "
            "order by all"
        ).fetchall()

    assert comments("dbt") == comments("runner")


def test_history_grows_with_each_sync(syncs: list[Sync]) -> None:
    def closed(sync: Sync) -> int:
        with duckdb.connect(str(sync.dbt), read_only=True) as connection:
            [[rows]] = connection.execute("select count(dbt_valid_to) from snapshots.open_tasks_history").fetchall()
            return int(rows)

    first, second, third = map(closed, syncs)
    assert first < second < third


def test_dbt_reads_the_properties_files_as_they_are_without_a_warning(tmp_path: Path) -> None:
    files = dict(project_files(load_models(), str(tmp_path / "crm.duckdb"), TIMEZONE))
    for path in MODELS_DIR.glob("*/*.yml"):
        # Descriptions of singular tests are not exported.
        exported = [name for name in files if name.endswith(f"{path.parent.name}/{path.name}")] or ["tests/tests.yml"]
        files[exported[0]] = path.read_text(encoding="utf-8")
    # In place of dbt_utils, which would have to be downloaded.
    files["dbt_packages/dbt_utils/dbt_project.yml"] = "{name: dbt_utils, version: 1.0.0}"
    for name in [name for name in files if name.startswith("tests/generic/")]:
        files[name.replace("tests/generic", "dbt_packages/dbt_utils/macros")] = files[name]
    write_project(tmp_path / "project", files)

    ran = run_dbt("--warn-error", "parse", "--show-all-deprecations", project=tmp_path / "project")
    assert ran.returncode == 0, ran.stdout


def test_dbt_runs_on_the_runners_duckdb() -> None:
    [dbt, runner] = (
        [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.startswith("duckdb==")]
        for name in ("constraints-dbt.txt", "constraints.txt")
    )
    assert dbt == runner
