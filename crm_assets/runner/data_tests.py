"""The data tests of a model: generic ones, which its YAML declares, and singular ones, which are files."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crm_assets.errors import ModelsRefused, counted
from crm_assets.runner.project import Node
from crm_assets.runner.properties import refuse_wrong
from crm_assets.runner.templates import Scope
from crm_assets.warehouse.tables import identifier
from crm_assets.yaml_files import Items

SINGULAR = "singular"


@dataclass(frozen=True, eq=False)
class DataTest:
    """A data test of a model.

    Attributes:
        name: The name of its asset check, such as `account_id_unique`.
        kind: Its kind, by which `test_<kind>` is its macro; or singular.
        path: The file that declares it, or is it.
        text: The template of its query for failing rows.
        config: severity, where, warn_if and so on.
        description: A sentence that is true if the test passes: its own, its kind's, or none yet.
        fails: The template of a sentence about rows that fail it; empty without one.
        line: Its line in the file.
        column: The column that it is declared under; None for a test of the whole model.
        arguments: The arguments of its kind, as they are written; None for those that are left out.
        reads: Addresses of other tables that it reads.
    """

    name: str
    kind: str
    path: Path
    text: str
    config: Mapping[str, Any]
    description: str
    fails: str = ""
    line: int = 1
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()

    @property
    def severity(self) -> str:
        """`error` keeps the model from being replaced; `warn` only reports."""
        return str(self.config.get("severity", "error")).lower()

    @property
    def blocks(self) -> bool:
        """Whether a failure keeps the model from being replaced."""
        return self.severity == "error"

    def query(self, scope: Scope, relation: str) -> str:
        """The query for the rows of `relation`, a table or a subquery, that fail the test."""
        relation = self.tested(scope, relation)
        given = {name: value for name, value in self._arguments(scope).items() if value is not None}
        query = scope.render(self.path, self.text, self.line, arguments={**given, "model": relation})
        query = query.strip().rstrip(";")
        return f"{query}\nlimit {self.config['limit']}" if "limit" in self.config else query

    def tested(self, scope: Scope, relation: str) -> str:
        """The rows of `relation` that it looks at, as a table or a subquery."""
        if where := self.config.get("where"):
            return f"(select * from {relation} where {scope.render(self.path, where, self.line)})"
        return relation

    def described(self, scope: Scope) -> str:
        """Its description, with its arguments."""
        return self._sentence(scope, self.description)

    def failure(self, scope: Scope, failing: int, rows: str) -> str:
        """A sentence about rows that fail it. `rows`: all rows that were tested, such as `400 accounts`."""
        if not self.fails:
            return f"{counted(failing, 'failing row')}: {' '.join(self.description.split()).removesuffix('.')}"
        verbs = {"have": "has", "do": "does"} if failing == 1 else {"have": "have", "do": "do"}
        return self._sentence(scope, self.fails, failing=f"{failing:,}", rows=rows, **verbs)

    def _sentence(self, scope: Scope, template: str, **counts: str) -> str:
        arguments = self._arguments(scope)
        column = self.column or arguments.get("column_name")
        article = "an" if (self.column or "").startswith(tuple("aeiou")) else "a"
        words = {**arguments, "column_name": column, "article": article, **counts}
        return scope.render(self.path, template, self.line, **words)

    def _arguments(self, scope: Scope) -> dict[str, Any]:
        arguments: dict[str, Any] = scope.value(self.path, self.arguments, self.line, braces=False)
        return arguments


def singular_test(node: Node) -> DataTest:
    """The test of a file."""
    description = node.described(node.properties) or f"No row is found by {node.path.name}."
    return DataTest(node.stem, SINGULAR, node.path, node.text, _given(node.config), description)


def read_data_tests(node: Node, scope: Scope, implied: Iterable[tuple[str, str]] = ()) -> list[DataTest]:
    """The tests of a model's YAML entry, those of the model first, then by column.

    Args:
        node: The model.
        scope: What its template can use.
        implied: Columns and kinds of tests that it has in any case.

    Raises:
        ModelsRefused: A test has an unknown kind or wrong arguments.
    """
    tests: dict[str, DataTest] = {}
    for column, written, line in (*declared_tests(node), *(({"name": name}, kind, 0) for name, kind in implied)):
        test = _data_test(node, scope, column, written, line)
        if line and not test.config.get("enabled", True):
            continue
        if line or not any((other.kind, other.column) == (test.kind, test.column) for other in tests.values()):
            number = sum(name.rstrip("_0123456789") == test.name for name in tests) + 1
            name = test.name if test.name not in tests else f"{test.name}_{number}"
            tests[name] = replace(test, name=name)
    return list(tests.values())


def declared_tests(node: Node) -> Iterator[tuple[Mapping[str, Any] | None, Any, int]]:
    """The column, what is written, and the line of each test in a model's YAML entry."""
    for column in (None, *(node.properties.get("columns") or [])):
        for key in ("data_tests", "tests"):
            listed = (node.properties if column is None else column).get(key) or Items()
            yield from ((column, written, line) for written, line in zip(listed, listed.lines, strict=True))


def _data_test(node: Node, scope: Scope, column: Mapping[str, Any] | None, written: Any, line: int) -> DataTest:
    path, kinds = node.properties_path, node.project.templates.kinds
    name = column["name"] if column else None
    at = f"{path}:{line}: {node.stem}: a test of {f'column {name}' if column else 'the model'}"
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, dict) or len(written) != 1:
        raise ModelsRefused(f"{at} is neither KIND nor `KIND: {{arguments: …}}`: {written!r}")
    [(kind, given)] = written.items()
    if kind not in kinds:
        raise ModelsRefused(
            f"{at} has the unknown kind {kind!r}: use one of {', '.join(kinds)}, or add it to tests/generic; those of "
            "packages are not supported"
        )
    known, given = kinds[kind], given or {}
    refuse_wrong(given, "test", path, line, kind)
    own = {"column_name": identifier(column["name"]) if column.get("quote") else name} if column else {}
    arguments = {**own, **(given.get("arguments") or {})}
    if not known.required <= arguments.keys() <= {*known.parameters}:
        raise ModelsRefused(
            f"{at} has the arguments {', '.join(map(str, arguments)) or 'none'}, but {kind} takes "
            f"{', '.join(known.parameters)}: correct those below arguments. A test with column_name is one of a "
            "column, others are of the model"
        )
    columns = arguments.get("combination_of_columns") or ([name] if column else [])
    words = given.get("name") or "_".join([*columns, kind.replace("unique_combination_of_columns", "unique")])
    described = node.described(given)
    test = DataTest(
        re.sub(r"\W", "_", words).strip("_"),
        kind,
        path,
        f"{{{{ test_{kind}(**arguments) }}}}",
        {},
        described or known.passes or (f"{kind} of {name}" if column else kind),
        "" if described else known.fails,
        line,
        name,
        {**dict.fromkeys(known.parameters), **arguments},
    )
    scope["config"].given.clear()
    test.query(scope, node.stem)  # a kind's macro may configure its tests
    config = {
        **node.project.config("data_tests", path, node.stem),
        **scope["config"].given,
        **(given.get("config") or {}),
    }
    where = {"where": config.pop("where")} if "where" in config else {}  # is filled in when it is run
    config = {**node.project.plain.value(path, config, line), **where}
    refuse_wrong(config, "config", path, line, kind)
    return replace(test, config=_given(config))


def _given(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Configuration without nulls: each key has its default then."""
    return {key: value for key, value in config.items() if value is not None}
