"""The command that builds models."""

from argparse import Namespace
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from difflib import get_close_matches
from functools import partial

import duckdb

from crm_assets.commands import Add
from crm_assets.errors import ModelsRefused, WrongRows, counted
from crm_assets.runner import builds
from crm_assets.runner.builds import Build, Outcome, run_test, store_failures
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.unchanged import TABLE, BuildState, is_current, record_build, report_in, variables_of
from crm_assets.settings import resolve_settings
from crm_assets.settings.finding import NOT_FOR_MODELS
from crm_assets.warehouse.tables import RAW, exist
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse


def add_commands(add: Add) -> None:
    """Adds the command."""
    parser = add(build)
    parser.add_argument("models", metavar="MODEL", nargs="*", help="such as marts.task_backlog; none: all models")
    parser.add_argument(
        "--full-refresh",
        action="store_true",
        help="build models that have not changed as well, and incremental ones without their earlier rows",
    )


def build(arguments: Namespace) -> int:
    """Build models and run their tests without Dagster, in a third of the time.

    Models whose inputs, SQL and tests are as at their last build are left alone. Dagster's pages do not show these
    builds, and the published copy stays as it is. The exit code is 1 if any model or test has failed.
    """
    crm = arguments.crm
    known = {model.address: model for model in load_models()}
    addresses = {model.stem: address for address, model in known.items()}
    chosen = {addresses.get(name, name.lower().replace("/", ".")) for name in arguments.models} or set(known)
    if unknown := sorted(chosen - set(known)):
        alike = [name for each in unknown for name in get_close_matches(each, [*known, *addresses], 1)]
        meant = f"Did you mean {', '.join(alike)}? " if alike else ""
        raise ModelsRefused(f"There is no model {', '.join(unknown)}. {meant}The models are: {', '.join(known)}")
    settings = resolve_settings(crm, NOT_FOR_MODELS)
    with Warehouse().of(crm).get_connection(tables=chosen, if_free=[TABLE]) as connection:
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, datetime.now(timezone.utc))
        if not exist(connection, f"{RAW}.side_loaded"):  # no raw asset has been loaded yet
            # Imported here: it imports dlt, which takes half a second.
            from crm_assets.loading.shared_tables import create_side_loaded

            create_side_loaded(connection)
        failed = _build_all(connection, [known[address] for address in known if address in chosen], arguments)
    return 1 if failed else 0


def _build_all(connection: duckdb.DuckDBPyConnection, models: Sequence[Model], arguments: Namespace) -> set[str]:
    """Returns the addresses of models that were not built, or whose tests of severity error failed."""
    failed: set[str] = set()
    built: set[str] = set()
    state: BuildState | None = None
    for model in models:
        if missing := sorted(model.depends_on & failed):
            print(f"{model.address}: not built, since it reads {', '.join(missing)}")
            failed.add(model.address)
            continue
        try:
            if not arguments.full_refresh:
                state = BuildState.of(connection, model.reads, state)
                if is_current(state, model):
                    print(f"{model.address}: unchanged")
                    continue
            state = _built(connection, model, state, full_refresh=arguments.full_refresh).state
            built.add(model.address)
        except WrongRows as refused:
            print(refused)
            _print_failed(refused.outcomes)
            failed.add(model.address)
        except ModelsRefused as refused:
            print(f"{model.address}: {refused}")
            failed.add(model.address)
    variables = variables_of(connection)
    for model in [each for each in models if each.address not in failed]:
        tests = [test for test in model.cross_tests if not built.isdisjoint({model.address, *test.reads})]
        outcomes = [run_test(connection, model, test, variables) for test in tests]
        store_failures(connection, model, outcomes)
        _print_failed(outcomes, f"{model.address}: ")
        if any(outcome.severity == "error" for outcome in outcomes):
            failed.add(model.address)
            # So that the next call tests it again.
            committed(connection, partial(record_build, connection, model, None))
    return failed


def _built(
    connection: duckdb.DuckDBPyConnection, model: Model, known: BuildState | None, *, full_refresh: bool
) -> Build:
    """Builds a model and prints what came of it."""
    # As in dbt: incremental models only.
    full_refresh &= model.materialized == "incremental"
    built = builds.build(connection, model, full_refresh=full_refresh, known=known)
    rows, tests = counted(built.rows_after, "row"), counted(len(built.outcomes), "test")
    print(f"{model.address}: {rows}, {tests}, {built.seconds:.1f} s")
    stored = {column.lower() for column in built.columns}
    if lacking := [column for column in model.columns if column.lower() not in stored]:
        print(f"    warn: the YAML describes columns that the model does not have: {', '.join(lacking)}")
    _print_failed(built.outcomes)
    return built


def _print_failed(outcomes: Iterable[Outcome], model: str = "") -> None:
    for outcome in outcomes:
        if not outcome.passed:
            print(f"    {model}{outcome.severity}: {outcome.test.name}: {outcome.found}. Find the rows with:")
            print("        " + outcome.sql.replace("\n", "\n        "))
