"""Building a model in DuckDB: built, tested and swapped in one transaction, so that nobody ever sees half a table.

Tests of severity error run inside that transaction. Rows that fail them are rolled back: the table keeps its earlier
rows, for those too who read it by other ways than Dagster, and what depends on it is not built. Tests of severity warn
run after the transaction, since what merely watches must not decide.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import duckdb

from crm_assets.sql_models.data_test_runs import Outcome, run_tests
from crm_assets.sql_models.model import Model
from crm_assets.sql_models.timezone import with_timezone
from crm_assets.warehouse.comments import comment
from crm_assets.warehouse.duckdb_messages import is_about_missing_table, line, reason


class ModelError(Exception):
    """A model's SQL could not be run. Tells the file, the line and DuckDB's reason."""


class WrongRows(Exception):
    """A model's rows failed tests of severity error, and were not kept.

    Attributes:
        outcomes: What its tests of severity error found.
    """

    def __init__(self, model: Model, outcomes: Sequence[Outcome]) -> None:
        """Words the message from what failed."""
        self.outcomes = outcomes
        failed = "; ".join(f"{outcome.test.name}: {outcome.found}" for outcome in outcomes if not outcome.passed)
        super().__init__(
            f"{model.address} was not replaced, and what depends on it is not built, since its new rows fail tests "
            f"({failed}). The failed checks show rows and the SQL that finds them"
        )


@dataclass(frozen=True)
class Build:
    """A model that was built.

    Attributes:
        outcomes: What its tests of severity error found: all passed.
        rows_before: Rows that its table had; None where there was none, or a view, which keeps none.
        seconds: What build and tests took.
    """

    outcomes: Sequence[Outcome]
    rows_before: int | None
    seconds: float


def build(connection: duckdb.DuckDBPyConnection, model: Model, *, full_refresh: bool = False) -> Build:
    """Replaces the model's view or table by what its SELECT gives now; an incremental one replaces rows by its key.

    Descriptions become comments on it and its columns.

    Args:
        connection: Where to.
        model: What to build.
        full_refresh: Whether an incremental model begins anew, without the rows that it has.

    Raises:
        ModelError: DuckDB refused the SQL. The table is as it was.
        WrongRows: A test of severity error failed. The table is as it was.
    """
    began = time.perf_counter()
    with _transaction(connection):
        try:
            connection.execute(f'create schema if not exists "{model.folder}"')
            existing = _kind(connection, model)
            rows_before = _count(connection, model) if existing == "table" else None
            if existing not in {None, model.kind}:
                connection.execute(f"drop {existing} {model.relation}")
            merging = model.materialized == "incremental" and existing == "table" and not full_refresh
            connection.execute(with_timezone(connection, _merge(model) if merging else _replace(model)))
        except duckdb.Error as error:
            raise ModelError(explained(model, error)) from None
        outcomes = run_tests(connection, model, [test for test in model.own_tests if test.blocks])
        if not all(outcome.passed for outcome in outcomes):
            raise WrongRows(model, outcomes)
        comment(connection, model.kind, (model.folder, model.name), model.description, model.columns)
    return Build(outcomes, rows_before, time.perf_counter() - began)


def explained(model: Model, error: duckdb.Error) -> str:
    """DuckDB's message with the model's file and line in place of the statement's."""
    at = line(error)
    # The statement has one line before the model's first.
    where = f"{model.path}:{max(1, at - 1)}" if at else str(model.path)
    advice = ". Materialize the assets that it depends on first" if is_about_missing_table(error) else ""
    return f"{where}: {reason(error)}{advice}"


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("begin")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        # A connection that broke cannot roll back, and needs not. What went wrong first is what to tell.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        raise


def _replace(model: Model) -> str:
    return f"create or replace {model.kind} {model.relation} as\n{model.select}"


def _merge(model: Model) -> str:
    """Earlier rows but those whose key comes again, and the new ones.

    Written anew as a whole: so a column that is new, gone or of a wider type costs no earlier row, and DuckDB finds the
    common type. Rows without key are nobody's, and stay.
    """
    return (
        f"create or replace table {model.relation} as with new_rows as materialized (\n{model.select}\n)\n"
        f'select * from {model.relation} anti join new_rows using ("{model.unique_key}")\n'
        "union all by name select * from new_rows"
    )


def _count(connection: duckdb.DuckDBPyConnection, model: Model) -> int:
    [[rows]] = connection.execute(f"select count(*) from {model.relation}").fetchall()
    return int(rows)


def _kind(connection: duckdb.DuckDBPyConnection, model: Model) -> str | None:
    found = connection.execute(
        "select table_type from information_schema.tables where table_schema = ? and table_name = ?",
        [model.folder, model.name],
    ).fetchone()
    if found is None:
        return None
    return "view" if found[0] == "VIEW" else "table"
