"""Runs the data tests of a model: each is a query for the rows that fail it. Null passes, as in dbt."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb

from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.model import Model
from crm_assets.runner.tested_rows import TESTED_ROWS
from crm_assets.runner.timezone import with_timezone
from crm_assets.warehouse.duckdb_messages import reason
from crm_assets.warehouse.quoting import identifier, literal

Literal = Callable[[Any], str]
"""Writes a value into a query: as a parameter to run it, or as a literal to show it."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a data test.

    Attributes:
        test: The test.
        failing: The number of failing rows (values, combinations).
        rows: All rows that were tested, such as `400 accounts`; empty if none fails.
        problem: Why the test could not be run; None if it was.
        sql: The query that finds all failing rows, which may hold personal data.
    """

    test: DataTest
    failing: int = 0
    rows: str = ""
    problem: str | None = None
    sql: str = ""

    @property
    def passed(self) -> bool:
        """Whether the test was run and no row fails it."""
        return self.problem is None and self.failing == 0

    @property
    def found(self) -> str:
        """The outcome in a sentence."""
        if self.problem is not None:
            return f"could not be run: {self.problem}"
        return self.test.failure(self.failing, self.rows) if self.failing else "none fails"


def run_tests(
    connection: duckdb.DuckDBPyConnection, model: Model, tests: Iterable[DataTest], stored: Container[str] = ()
) -> list[Outcome]:
    """Runs tests, as `run_test` does. Stops at one that cannot be run, since it may have ended the transaction."""
    outcomes = []
    for test in tests:
        outcomes.append(run_test(connection, model, test, stored))
        if outcomes[-1].problem is not None:
            break
    return outcomes


def run_test(
    connection: duckdb.DuckDBPyConnection, model: Model, test: DataTest, stored: Container[str] = ()
) -> Outcome:
    """Runs one test on the model's table or view; on `TESTED_ROWS` instead if its name is in `stored`."""
    relation = TESTED_ROWS if test.name in stored else model.relation
    query = failing_rows(test, relation, model.key_columns, lambda _: "?")
    # Failing rows of a blocking test are rolled back, so the shown query reads the SELECT instead, if possible.
    shown = f"(\n{model.select}\n)" if test.blocks and not model.keeps_rows else model.relation
    sql = with_timezone(connection, failing_rows(test, shown, model.key_columns, literal))
    try:
        [[failing]] = connection.execute(
            with_timezone(connection, f"select count(*) from (\n{query}\n)"), test.arguments.get("values", [])
        ).fetchall()
        tested = _counted(connection, model, relation) if failing else ""
    except duckdb.Error as error:
        return Outcome(test, problem=f"{reason(error)} (in {model.properties_path}:{test.line})", sql=sql)
    return Outcome(test, int(failing), tested, sql=sql)


def _counted(connection: duckdb.DuckDBPyConnection, model: Model, relation: str) -> str:
    """The number of rows of a relation, with what a row of the model is."""
    query = with_timezone(connection, f"select count(*) from {relation}")
    [[rows]] = connection.execute(query).fetchall()
    return f"{rows:,} {model.name.removeprefix('stg_').replace('_', ' ') if model.folder == 'staging' else 'rows'}"


def failing_rows(test: DataTest, relation: str, key_columns: Sequence[str], write: Literal) -> str:
    """The query for the rows of `relation` (a table or a subquery) that fail a test."""
    shown = ", ".join(map(identifier, dict.fromkeys([*key_columns, *test.columns]))) or "*"
    return QUERIES[test.kind](test, f"{relation} as tested", shown, write)


def _repeated(test: DataTest, relation: str, _shown: str, _literal: Literal) -> str:
    columns = ", ".join(map(identifier, test.columns))
    # Null is not a duplicate, except within a combination.
    known = f"where {columns} is not null\n" if test.kind == "unique" else ""
    return f"select {columns}, count(*) as occurrences\nfrom {relation}\n{known}group by all\nhaving count(*) > 1"


def _null(test: DataTest, relation: str, shown: str, _literal: Literal) -> str:
    return f"select {shown}\nfrom {relation}\nwhere {identifier(test.columns[0])} is null"


def _not_accepted(test: DataTest, relation: str, shown: str, write: Literal) -> str:
    values = ", ".join(write(value) for value in test.arguments["values"])
    return f"select {shown}\nfrom {relation}\nwhere {identifier(test.columns[0])} not in ({values})"


def _dangling(test: DataTest, relation: str, shown: str, _literal: Literal) -> str:
    column, field = identifier(test.columns[0]), identifier(test.arguments["field"])
    return (
        f"select {shown}\nfrom {relation}\nwhere {column} is not null and not exists (\n"
        f"    from {identifier(*test.arguments['to'].split('.'))} as parent where parent.{field} = tested.{column}\n)"
    )


def _untrue(test: DataTest, relation: str, shown: str, _literal: Literal) -> str:
    return f"select {shown}\nfrom {relation}\nwhere (\n    {test.condition}\n) is false"


def _out_of_range(test: DataTest, relation: str, shown: str, _literal: Literal) -> str:
    operators = {"min_value": "<", "max_value": ">"}
    column = identifier(test.columns[0])
    missed = [f"{column} {sign} {test.arguments[key]}" for key, sign in operators.items() if key in test.arguments]
    return f"select {shown}\nfrom {relation}\nwhere {' or '.join(missed)}"


def _found(test: DataTest, _relation: str, _shown: str, _literal: Literal) -> str:
    return str(test.arguments["sql"])


QUERIES: Mapping[str, Callable[[DataTest, str, str, Literal], str]] = MappingProxyType(
    {
        "unique": _repeated,
        "not_null": _null,
        "accepted_values": _not_accepted,
        "relationships": _dangling,
        "dbt_utils.expression_is_true": _untrue,
        "dbt_utils.accepted_range": _out_of_range,
        "dbt_utils.unique_combination_of_columns": _repeated,
        "singular": _found,
    }
)
