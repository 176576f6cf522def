"""The data tests of a model, declared in its YAML as in dbt: kinds, arguments and names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.runner.dbt_features import EXPORT, instead
from crm_assets.warehouse.quoting import identifier
from crm_assets.yaml_files import Items, line_of

SEVERITIES = ("error", "warn")
NAME = re.compile(r"[A-Za-z0-9_]+")
TEST_KEYS = frozenset({"arguments", "config", "name", "description"})


@dataclass(frozen=True)
class DataTest:
    """A data test of a model.

    Attributes:
        kind: One of `KINDS`, or singular.
        column: The column that it is declared under; None for a test of the whole model.
        arguments: The arguments of its kind; `sql` for a singular test.
        severity: `error` keeps the model from being replaced; `warn` only reports.
        given_name: The name in the YAML, if any.
        told: The description in the YAML, if any.
        reads: Addresses of tables that it compares with.
        line: Its line in the YAML file.
    """

    kind: str
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "error"
    given_name: str | None = None
    told: str = ""
    reads: frozenset[str] = frozenset()
    line: int = 1

    @property
    def name(self) -> str:
        """The name of its asset check, such as `account_id_unique`."""
        if self.given_name:
            return self.given_name
        words = {"dbt_utils.unique_combination_of_columns": "unique"}
        return "_".join([*self.columns, words.get(self.kind, self.kind.removeprefix("dbt_utils."))])

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it tests."""
        return self.arguments.get("combination_of_columns") or ([self.column] if self.column else [])

    @property
    def condition(self) -> str:
        """The condition of an expression_is_true test. As in dbt_utils, the column's name is put before it."""
        expression = str(self.arguments["expression"]).strip()
        return f"{identifier(self.column)} {expression}" if self.column else expression

    @property
    def blocks(self) -> bool:
        """Whether a failure keeps the model from being replaced."""
        return self.severity == "error"

    @property
    def description(self) -> str:
        """A sentence that is true if the test passes."""
        if self.told or self.kind not in KINDS:
            return self.told or f"No row is found by {self.given_name}.sql."
        if self.kind == "dbt_utils.expression_is_true":
            return self.condition.replace('"', "")
        return KINDS[self.kind].sentence.format(column=self.column, limits=self._limits, **self.arguments)

    def failure(self, failing: int, rows: str) -> str:
        """A sentence about rows that fail it. `rows`: all rows that were tested, such as `400 accounts`."""
        if self.told or self.kind not in KINDS:
            return f"{failing:,} fail: {self.description}"
        article = "an" if (self.column or "").startswith(tuple("aeiou")) else "a"
        values = {**self.arguments, "expression": self.description, "limits": self._limits}
        return KINDS[self.kind].failure.format(f"{failing:,}", rows, column=self.column, a=article, **values)

    @property
    def _limits(self) -> str:
        words = {"min_value": "at least", "max_value": "at most"}
        return " and ".join(f"{word} {self.arguments[key]}" for key, word in words.items() if key in self.arguments)


@dataclass(frozen=True)
class Kind:
    """A kind of data test: its description, that of failing rows, its arguments, and where it is declared."""

    sentence: str
    failure: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset({"column"})


_BOTH = frozenset({"column", "model"})
_MODEL = frozenset({"model"})

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "unique": Kind("No value of {column} occurs twice.", "{} values of {column} occur more than once"),
        "not_null": Kind("{column} is never null.", "{} of {} have no {column}"),
        "accepted_values": Kind(
            "{column} is one of {values}.", "{} of {} have {a} {column} that is none of {values}", frozenset({"values"})
        ),
        "relationships": Kind(
            "{column} is found in {to}, column {field}.",
            "{} of {} have {a} {column} that is not found in {to}",
            frozenset({"to", "field"}),
        ),
        "dbt_utils.expression_is_true": Kind(
            "{expression}", "{} of {} do not fulfil: {expression}", frozenset({"expression"}), places=_BOTH
        ),
        "dbt_utils.accepted_range": Kind(
            "{column} is {limits}.",
            "{} of {} have {a} {column} that is not {limits}",
            optional=frozenset({"min_value", "max_value"}),
        ),
        "dbt_utils.unique_combination_of_columns": Kind(
            "No combination of {combination_of_columns} occurs twice.",
            "{} combinations of {combination_of_columns} occur more than once",
            frozenset({"combination_of_columns"}),
            places=_MODEL,
        ),
    }
)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _limit(value: Any) -> bool:
    return _text(value) or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _address(value: Any) -> bool:
    return _text(value) and "(" not in value


def _values(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, (str, int, float, bool)) for v in value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_text(v) for v in value)


ARGUMENTS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "values": (_values, "a list of texts or numbers"),
        "to": (_address, "the address of a table, such as staging.stg_accounts"),
        "field": (_text, "the name of a column"),
        "expression": (_text, "an SQL condition as a text"),
        "min_value": (_limit, "a number or an SQL expression"),
        "max_value": (_limit, "a number or an SQL expression"),
        "combination_of_columns": (_texts, "a list of column names"),
        "severity": (lambda value: value in SEVERITIES, "error or warn"),
        "name": (lambda value: _text(value) and bool(NAME.fullmatch(value)), "made of letters, digits and underscores"),
        "description": (_text, "a text"),
    }
)
"""Argument -> whether a value is allowed, and what is allowed."""


def read_data_tests(properties: Mapping[str, Any]) -> list[DataTest]:
    """The tests of a model's YAML entry, those of the model first, then by column.

    Raises:
        ModelsRefused: A test has an unknown kind, wrong arguments, or the name of another test.
    """
    tests = _tests_of(None, properties)
    for column in properties.get("columns") or []:
        tests += _tests_of(column["name"], column)
    by_name: dict[str, DataTest] = {}
    for test in tests:
        if test.name in by_name:
            raise ModelsRefused(
                f"two tests are named {test.name}: give one of them another name with `name: ...`", test.line
            )
        by_name[test.name] = test
    return tests


def _tests_of(column: str | None, entry: Mapping[str, Any]) -> list[DataTest]:
    written = entry.get("data_tests") or []
    if not isinstance(written, list):
        raise ModelsRefused("data_tests is not a list: begin each test with a dash", line_of(entry, "data_tests"))
    lines = written.lines if isinstance(written, Items) else (1,) * len(written)
    return [_data_test(column, test, line) for test, line in zip(written, lines, strict=True)]


def _data_test(column: str | None, written: Any, line: int) -> DataTest:
    where = f"column {column}" if column else "the model"
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, dict) or len(written) != 1:
        raise ModelsRefused(f"a test of {where} is neither KIND nor `KIND: {{arguments: …}}`: {written!r}", line)
    [(kind, given)] = written.items()
    if kind not in KINDS:
        raise ModelsRefused(
            f"a test of {where} has the unknown kind {kind!r}: use one of {', '.join(KINDS)}, {EXPORT}", line
        )
    test, given = f"test {kind} of {where}", dict(given or {})
    place = "column" if column else "model"
    if place not in KINDS[kind].places:
        [other] = KINDS[kind].places
        raise ModelsRefused(f"test {kind} is under a {place}: move it to data_tests of a {other}", line)
    for key in sorted(given.keys() - TEST_KEYS):
        home = "config" if key == "severity" else "arguments"
        raise ModelsRefused(f"{test}: {key} is next to {home}: move it below {home}", line)
    arguments, config = dict(given.get("arguments") or {}), dict(given.get("config") or {})
    for key in sorted(config.keys() - {"severity"}):
        remedy = instead(key) or f"config takes severity, {EXPORT}"
        raise ModelsRefused(f"{test}: config {key} is not supported: {remedy}", line)
    _check_arguments(test, KINDS[kind], arguments, line)
    named = {key: given[key] for key in ("name", "description") if key in given}
    for key, value in {**arguments, **config, **named}.items():
        will_do, wanted = ARGUMENTS[key]
        if not will_do(value):
            raise ModelsRefused(f"{test}: {key} is {value!r}, but should be {wanted}", line)
    reads = frozenset({arguments["to"]} if "to" in arguments else ())
    return DataTest(
        kind,
        column,
        arguments,
        config.get("severity", "error"),
        named.get("name"),
        named.get("description", ""),
        reads,
        line,
    )


def _check_arguments(test: str, kind: Kind, arguments: Mapping[str, Any], line: int) -> None:
    known = kind.required | kind.optional
    if unknown := sorted(set(arguments) - known):
        takes = f"it takes {', '.join(sorted(known))}" if known else "remove it"
        raise ModelsRefused(f"{test} has no argument {unknown[0]!r}: {takes}", line)
    if missing := sorted(kind.required - set(arguments)):
        raise ModelsRefused(f"{test} needs {missing[0]}: add {ARGUMENTS[missing[0]][1]} below arguments", line)
    if kind.optional and not kind.optional & set(arguments):
        raise ModelsRefused(f"{test} needs a limit: add {' or '.join(sorted(kind.optional))} below arguments", line)
