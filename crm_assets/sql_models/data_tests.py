"""The tests of a model as its YAML declares them: their kinds, what each takes, and how they are named."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

SEVERITIES = ("error", "warn")
NAME = re.compile(r"[A-Za-z0-9_]+")


class DataTestError(Exception):
    """A test is not written as it should be. Tells which, and what to write."""


@dataclass(frozen=True)
class DataTest:
    """One test of a model's rows.

    Attributes:
        kind: One of `KINDS`.
        column: The column that it is written under; None for a test of the whole model.
        arguments: What its kind takes.
        severity: error keeps the model from being replaced; warn tells only.
        given_name: The name written in the YAML, if there is one.
    """

    kind: str
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    severity: str = "error"
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The name of its asset check, such as `account_id_unique`."""
        if self.given_name:
            return self.given_name
        if self.kind == "unique_combination":
            return f"{'_'.join(self.columns)}_unique"
        return "_".join([*self.columns, self.kind])

    @property
    def columns(self) -> Sequence[str]:
        """The columns that it is about."""
        return self.arguments.get("columns") or ([self.column] if self.column else [])

    @property
    def blocks(self) -> bool:
        """Whether a failure keeps the rows from spreading."""
        return self.severity == "error"

    @property
    def description(self) -> str:
        """What holds when it passes, as a sentence."""
        return KINDS[self.kind].sentence.format(column=self.column, limits=self._limits, **self.arguments)

    @property
    def _limits(self) -> str:
        words = {"min": "at least", "max": "at most"}
        return " and ".join(f"{word} {self.arguments[key]}" for key, word in words.items() if key in self.arguments)


@dataclass(frozen=True)
class Kind:
    """What a kind of test takes, where it is written, and what it says."""

    sentence: str
    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset({"column"})


_BOTH = frozenset({"column", "model"})
_MODEL = frozenset({"model"})

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "unique": Kind("No value of {column} occurs twice."),
        "not_null": Kind("{column} is never null."),
        "accepted_values": Kind("{column} is one of {values}.", frozenset({"values"})),
        "relationships": Kind("{column} is found in {to}, column {field}.", frozenset({"to", "field"})),
        "expression": Kind("{expression}", frozenset({"expression"}), places=_BOTH),
        "row_count": Kind("There are {limits} rows.", optional=frozenset({"min", "max"}), places=_MODEL),
        "unique_combination": Kind("No combination of {columns} occurs twice.", frozenset({"columns"}), places=_MODEL),
    }
)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _values(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, (str, int, float, bool)) for v in value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(_text(v) for v in value)


ARGUMENTS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType(
    {
        "values": (_values, "a list of texts or numbers"),
        "to": (_text, "the address of a table, such as staging.stg_accounts"),
        "field": (_text, "the name of a column"),
        "expression": (_text, "an SQL condition as a text"),
        "min": (_number, "a whole number"),
        "max": (_number, "a whole number"),
        "columns": (_texts, "a list of column names"),
        "severity": (lambda value: value in SEVERITIES, "error or warn"),
        "name": (lambda value: _text(value) and bool(NAME.fullmatch(value)), "made of letters, digits and underscores"),
    }
)
"""Argument -> whether a value will do, and what it should be."""


def read_data_tests(properties: Mapping[str, Any]) -> list[DataTest]:
    """The tests of a model's YAML entry, those of the model first, then by column.

    Raises:
        DataTestError: One of them is of an unknown kind, has wrong arguments, or has another's name.
    """
    written = [(None, test) for test in properties.get("data_tests") or []]
    for column in properties.get("columns") or []:
        written += [(column["name"], test) for test in column.get("data_tests") or []]
    tests = [_data_test(column, test) for column, test in written]
    names = [test.name for test in tests]
    for name in names:
        if names.count(name) > 1:
            raise DataTestError(f"two tests are named {name}: give one of them another name with `name: ...`")
    return tests


def _data_test(column: str | None, written: Any) -> DataTest:
    where = f"column {column}" if column else "the model"
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, dict) or len(written) != 1:
        raise DataTestError(f"a test of {where} is neither a kind nor `kind: {{arguments}}`: {written!r}")
    [(kind, arguments)] = written.items()
    if kind not in KINDS:
        raise DataTestError(f"a test of {where} is of the unknown kind {kind!r}: use one of {', '.join(KINDS)}")
    arguments = dict(arguments or {})
    _check_place(kind, column)
    _check_arguments(f"test {kind} of {where}", KINDS[kind], arguments)
    severity, name = arguments.pop("severity", "error"), arguments.pop("name", None)
    return DataTest(kind, column, arguments, severity, name)


def _check_place(kind: str, column: str | None) -> None:
    place = "column" if column else "model"
    if place not in KINDS[kind].places:
        [other] = KINDS[kind].places
        raise DataTestError(f"test {kind} stands under a {place}: write it under data_tests of a {other}")


def _check_arguments(test: str, kind: Kind, arguments: Mapping[str, Any]) -> None:
    known = kind.required | kind.optional | {"severity", "name"}
    if unknown := sorted(set(arguments) - known):
        raise DataTestError(f"{test} takes no {unknown[0]!r}: it takes {', '.join(sorted(known))}")
    if missing := sorted(kind.required - set(arguments)):
        raise DataTestError(f"{test} lacks {missing[0]}: add {ARGUMENTS[missing[0]][1]}")
    if kind.optional and not kind.optional & set(arguments):
        raise DataTestError(f"{test} lacks a limit: add {' or '.join(sorted(kind.optional))}")
    for argument, value in arguments.items():
        will_do, wanted = ARGUMENTS[argument]
        if not will_do(value):
            raise DataTestError(f"{test}: {argument} is {value!r}, but should be {wanted}")
