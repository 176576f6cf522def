"""dbt itself builds the project as it stands, in a file and in a lake: over three syncs its tables are the runner's."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from crm_assets.api import ENDPOINTS, INCLUDE
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.project import DBT_DIR
from crm_assets.sandbox import serving_sandbox
from crm_assets_tests.assets.raw_runs import materialize
from crm_assets_tests.data_dirs import LAKES, lakes_on, use_data_dir
from crm_assets_tests.runner.both_builders import (
    BUILDERS,
    Sync,
    attached,
    attaching,
    built_by_dbt,
    built_by_runner,
    install_extensions,
    take_over,
)
from crm_assets_tests.runner.dbt_commands import DBT, ROOT, run_dbt

pytestmark = [
    pytest.mark.dbt,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not DBT.exists(), reason="dbt is not installed: make test-dbt installs it, and runs this"),
]

SYNCS = (
    ("2026-03-06T15:00:00+00:00", "full"),
    ("2026-03-08T06:30:00+00:00", "incremental"),
    ("2026-03-09T03:30:00+00:00", "full"),
)
"""Instant and mode; in between, summer time begins in the reporting time zone."""

EVERY_WAY = Path(__file__).parent / "every_way"
"""Beside the project's own models: each kind of test with rows that fail it, and all ways to keep rows."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(DBT_DIR, tmp_path_factory.mktemp("project") / "dbt"))
    return Path(shutil.copytree(EVERY_WAY, folder, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def models(project: Path) -> list[Model]:
    return load_models(project)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Copies of the database after each sync, as the raw assets leave it."""
    folder = tmp_path_factory.mktemp("raw")
    now = datetime.fromisoformat(SYNCS[0][0])
    endpoints = {name: {"params": {INCLUDE: ",".join(e.includes)}} for name, e in ENDPOINTS.items() if e.includes}
    copies = []
    with (
        serving_sandbox(now=lambda: now, rows=1000, unknown_fields=3, odd_types=0.05) as sandbox,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("CRM_DATA_DIR", str(folder))
        environment.setenv("SOURCES__CRM__BASE_URL", sandbox.base_url)
        environment.setenv("SOURCES__CRM__API_KEY", sandbox.api_key)
        environment.setenv("SOURCES__CRM__ENDPOINTS", json.dumps(endpoints))
        for number, (instant, mode) in enumerate(SYNCS):
            now = datetime.fromisoformat(instant)
            assert materialize(mode=mode).success
            copies.append(Path(shutil.copy(folder / "crm.duckdb", folder / f"{number}.duckdb")))
    return copies


@pytest.fixture(scope="module", params=["file", "lake"])
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Path]]:
    """The databases of `runner` and `dbt`, each in a data directory of its own: files, or lakes."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as environment:
        if request.param == "file":
            # dbt's views name their database, which is called like the file.
            yield [folder / name / f"{name}.duckdb" for name in BUILDERS]
            return
        install_extensions(folder / "dbt")
        with lakes_on(request.getfixturevalue("servers")):
            for name in BUILDERS:
                use_data_dir(environment, folder / name)
        yield [folder / name / "crm.duckdb" for name in BUILDERS]


only_in_a_file = pytest.mark.parametrize("databases", ["file"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def syncs(models: list[Model], project: Path, raw: list[Path], databases: Sequence[Path]) -> list[Sync]:
    runner, dbt = databases
    made = []
    for read, (instant, _) in zip(raw, SYNCS, strict=True):
        for database in databases:
            take_over(read, database, instant)
        results = built_by_runner(runner, models), built_by_dbt(project, dbt)
        made.append(Sync([attaching(database) for database in databases], *results))
    return made


@pytest.fixture(params=range(len(SYNCS)), ids=lambda number: f"sync {number + 1}")
def sync(request: pytest.FixtureRequest, syncs: list[Sync]) -> Sync:
    made: Sync = syncs[request.param]
    return made


@pytest.fixture
def both(sync: Sync) -> Iterator[duckdb.DuckDBPyConnection]:
    with attached(sync) as connection:
        yield connection


def test_records_are_odd_change_and_vanish(raw: list[Path]) -> None:
    with duckdb.connect(str(raw[-1]), read_only=True) as connection:
        [columns] = connection.execute(
            "select bool_or(comment is null), bool_or(ends_with(column_name, '__v_text')) "
            "from duckdb_columns() where schema_name = 'raw' and table_name in ('contacts', 'won_deals')"
        ).fetchall()
        [rows] = connection.execute("select sum(rows_changed), sum(rows_vanished) from raw.sync_changes").fetchall()
    assert all([*columns, *rows])


def test_each_table_has_the_runners_columns_and_types(both: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    for model in models:
        runner, dbt = (
            both.execute(f"select column_name, column_type from (describe {name}.{model.this})").fetchall()
            for name in ("runner", "dbt")
        )
        assert dbt == runner, model.address


def test_each_table_has_the_runners_rows(both: duckdb.DuckDBPyConnection, models: list[Model]) -> None:
    for model in models:
        runner, dbt = f"runner.{model.this}", f"dbt.{model.this}"
        for some, others in ((runner, dbt), (dbt, runner)):
            more = both.execute(f"from {some} except all from {others} limit 3").fetchall()
            assert not more, f"only in {some}"


def test_each_test_finds_the_same_rows_as_the_runner(sync: Sync) -> None:
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
        with attached(sync) as connection:
            [[rows]] = connection.execute("select count(dbt_valid_to) from dbt.snapshots.open_tasks_history").fetchall()
            return int(rows)

    first, second, third = map(closed, syncs)
    assert first < second < third


@pytest.mark.usefixtures("syncs")
def test_nothing_is_written_into_the_project(project: Path) -> None:
    files = {path.relative_to(DBT_DIR) for path in DBT_DIR.rglob("*")}
    written = {path.relative_to(project) for path in project.rglob("*")} - files

    assert written == {path.relative_to(EVERY_WAY) for path in EVERY_WAY.rglob("*")} - files


STRICT = """--warn-error-options {"error":"all","silence":["CustomKeyInConfigDeprecation"]}"""
"""All warnings are errors, except that `depends_on_today` is for the runner."""


@pytest.mark.parametrize("arguments", [f"{STRICT} parse --show-all-deprecations", "docs generate", "source freshness"])
@pytest.mark.usefixtures("syncs")
def test_dbt_commands_need_no_preparation(databases: Sequence[Path], arguments: str) -> None:
    _, database = databases

    run_dbt(*arguments.split(), database=database, environment=LAKES.get(database.parent))


@only_in_a_file
@pytest.mark.usefixtures("syncs")
def test_dagster_dbt_builds_the_project_as_the_page_says(databases: Sequence[Path], tmp_path: Path) -> None:
    database = Path(shutil.copy(databases[1], tmp_path))
    with duckdb.connect(str(database)) as connection:
        connection.execute("drop schema marts cascade")
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "definitions.py").write_text(code, encoding="utf-8")

    command = ("asset", "materialize", "-f", "definitions.py", "--select", "*")
    run_dbt(*command, database=database, program="dagster")
    with duckdb.connect(str(database), read_only=True) as connection:
        [[accounts]] = connection.execute("select count(*) from marts.account_overview").fetchall()
    assert accounts > 0


@pytest.mark.parametrize(("database", "file"), [("crm", "tables.duckdb"), ("north", "north.duckdb")])
def test_dbt_uses_the_file_of_crm_warehouse(database: str, file: str, tmp_path: Path) -> None:
    warehouse = {"CRM_WAREHOUSE": str(tmp_path / "tables.duckdb")}
    (tmp_path / "data").mkdir()
    run_dbt("debug", database=tmp_path / "data" / f"{database}.duckdb", environment=warehouse)
    assert [path.name for path in tmp_path.glob("*.duckdb")] == [file]


def test_dbt_runs_on_the_runners_duckdb() -> None:
    [dbt, runner] = (
        [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line.startswith("duckdb==")]
        for name in ("constraints-dbt.txt", "constraints.txt")
    )
    assert dbt == runner
