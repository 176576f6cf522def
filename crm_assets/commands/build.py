"""Build models and run their tests without Dagster, which takes half of the time: python -m crm_assets build.

For work on models. Dagster's pages do not show these builds, and the published copy stays as it is: after a change of
a model's file, Dagster's next run builds the model again.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping

import duckdb

from crm_assets.commands.options import add_crm_option, chosen_crm
from crm_assets.errors import ModelError, ModelsRefused, WrongRows
from crm_assets.loading.side_loaded import create_side_loaded
from crm_assets.runner.builds import build
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.test_runs import Outcome, run_test
from crm_assets.runner.variables import report_in
from crm_assets.settings import resolve_settings
from crm_assets.warehouse.warehouse import Warehouse


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the models and the CRM."""
    parser.add_argument("models", metavar="MODEL", nargs="*", help="such as marts.task_backlog; none: all models")
    add_crm_option(parser)


def run(arguments: Namespace) -> int:
    """Builds the models, each after those it reads, and prints their rows and failed tests. Returns 1 if any failed."""
    crm = chosen_crm(arguments)
    known = {model.address: model for model in load_models()}
    chosen = set(arguments.models) or set(known)
    if unknown := sorted(chosen - set(known)):
        raise ModelsRefused(f"There is no model {', '.join(unknown)}. The models are: {', '.join(known)}")
    settings = resolve_settings(crm)
    with Warehouse().of(crm).get_connection(tables=chosen) as connection:
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start)
        create_side_loaded(connection)  # no raw asset may have been loaded yet
        failed = _build_all(connection, known, chosen)
    return 1 if failed else 0


def _build_all(connection: duckdb.DuckDBPyConnection, known: Mapping[str, Model], chosen: set[str]) -> set[str]:
    """Returns the addresses of models that were not built, or whose tests of severity error failed."""
    failed: set[str] = set()
    for model in [model for address, model in known.items() if address in chosen]:
        if missing := sorted(model.depends_on & failed):
            print(f"{model.address}: not built, since it reads {', '.join(missing)}")
            failed.add(model.address)
            continue
        try:
            built = build(connection, model)
        except (ModelError, WrongRows) as error:
            print(f"{model.address}: {error}" if isinstance(error, ModelError) else error)
            _print_failed(error.outcomes if isinstance(error, WrongRows) else ())
            failed.add(model.address)
        else:
            print(f"{model.address}: {built.rows_after:,} rows, {len(built.outcomes)} tests, {built.seconds:.1f} s")
            _print_failed(built.outcomes)
    for model in [known[address] for address in sorted(chosen - failed)]:
        outcomes = [run_test(connection, model, test) for test in model.cross_tests]
        _print_failed(outcomes, f"{model.address}: ")
        failed |= {model.address for outcome in outcomes if outcome.severity == "error"}
    return failed


def _print_failed(outcomes: Iterable[Outcome], model: str = "") -> None:
    for outcome in outcomes:
        if not outcome.passed:
            print(f"    {model}{outcome.severity}: {outcome.test.name}: {outcome.found}. Find the rows with:")
            print("        " + outcome.sql.replace("\n", "\n        "))
