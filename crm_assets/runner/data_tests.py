"""The data tests of a model: generic ones, which its YAML declares, and singular ones, which are files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.runner.project import File, Project
from crm_assets.runner.properties import CONFIG, TEST, wrong
from crm_assets.runner.templates import Scope, Templates
from crm_assets.warehouse.names import identifier
from crm_assets.yaml_files import Items

SINGULAR = "singular"


@dataclass(frozen=True)
class DataTest:
    """A data test of a model.

    Attributes:
        name: The name of its asset check, such as `account_id_unique`.
        kind: Its kind, by which `test_<kind>` is its macro; or singular.
        path: The file that declares it, or is it.
        text: The template of its query for failing rows.
        line: Its line in the file.
        column: The column that it is declared under; None for a test of the whole model.
        arguments: The arguments of its kind, as they are written.
        config: severity, where, warn_if and so on.
        own_description: Its own description, if it has one.
        description: A sentence that is true if the test passes.
        reads: Addresses of other tables that it reads.
    """

    name: str
    kind: str
    path: Path
    text: str
    line: int = 1
    column: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    own_description: str = ""
    description: str = ""
    reads: frozenset[str] = frozenset()

    @property
    def severity(self) -> str:
        """`error` keeps the model from being replaced; `warn` only reports."""
        return str(self.config.get("severity", "error")).lower()

    @property
    def blocks(self) -> bool:
        """Whether a failure keeps the model from being replaced."""
        return self.severity == "error"

    def query(self, templates: Templates, scope: Scope, relation: str) -> str:
        """The query for the rows of `relation`, a table or a subquery, that fail the test."""
        if where := self.config.get("where"):
            relation = f"(select * from {relation} where {templates.render(self.path, where, scope, self.line)})"
        arguments = {**self._arguments(templates, scope), "model": relation} if self.kind != SINGULAR else {}
        query = templates.render(self.path, self.text, {**scope, "arguments": arguments}, self.line)
        query = query.strip().rstrip(";")
        return f"{query}\nlimit {self.config['limit']}" if "limit" in self.config else query

    def described(self, templates: Templates, scope: Scope) -> str:
        """Its description, from its own or its kind's sentence."""
        if self.own_description or self.kind == SINGULAR:
            return self.own_description or f"No row is found by {self.path.name}."
        sentence = templates.kinds[self.kind].passes or " of ".join(filter(None, (self.kind, self.column)))
        return templates.render(self.path, sentence, {**scope, **self._words(templates, scope)}, self.line)

    def failure(self, templates: Templates, scope: Scope, failing: int, rows: str) -> str:
        """A sentence about rows that fail it. `rows`: all rows that were tested, such as `400 accounts`."""
        sentence = "" if self.own_description or self.kind == SINGULAR else templates.kinds[self.kind].fails
        if not sentence:
            return f"{failing:,} fail: {self.description}"
        words = {**self._words(templates, scope), "failing": f"{failing:,}", "rows": rows}
        return templates.render(self.path, sentence, {**scope, **words}, self.line)

    def _arguments(self, templates: Templates, scope: Scope) -> dict[str, Any]:
        return {key: templates.value(self.path, value, scope, self.line) for key, value in self.arguments.items()}

    def _words(self, templates: Templates, scope: Scope) -> dict[str, Any]:
        article = "an" if (self.column or "").startswith(tuple("aeiou")) else "a"
        missing = dict.fromkeys(templates.kinds[self.kind].parameters)
        return {**missing, **self._arguments(templates, scope), "column_name": self.column, "article": article}


def read_data_tests(project: Project, file: File, implied: Iterable[tuple[str, str]] = ()) -> list[DataTest]:
    """The tests of a model's YAML entry, those of the model first, then by column.

    Args:
        project: The project.
        file: The model.
        implied: Columns and kinds of tests that it has in any case.

    Raises:
        ModelsRefused: A test has an unknown kind or wrong arguments, or is there twice.
    """
    tests: dict[str, DataTest] = {}
    for column, written, line in (*declared_tests(file), *(({"name": name}, kind, 0) for name, kind in implied)):
        test = _data_test(project, file, column, written, line)
        same = [other for other in tests.values() if (other.kind, other.column) == (test.kind, test.column)]
        if any(other.arguments == test.arguments and other.config == test.config for other in same):
            if line:
                raise ModelsRefused(f"{test.path}:{line}: {file.name}: test {test.name} is there twice: remove one")
        elif line or not same:
            number = sum(name.rstrip("_0123456789") == test.name for name in tests) + 1
            name = test.name if test.name not in tests else f"{test.name}_{number}"
            tests[name] = DataTest(**{**vars(test), "name": name})
    return list(tests.values())


def declared_tests(file: File) -> Iterator[tuple[Mapping[str, Any] | None, Any, int]]:
    """The column, what is written, and the line of each test in a model's YAML entry."""
    for column in (None, *(file.properties.get("columns") or [])):
        for key in ("data_tests", "tests"):
            listed = (file.properties if column is None else column).get(key) or []
            lines = listed.lines if isinstance(listed, Items) else [1] * len(listed)
            yield from ((column, written, line) for written, line in zip(listed, lines, strict=True))


def _data_test(project: Project, file: File, column: Mapping[str, Any] | None, written: Any, line: int) -> DataTest:
    path = file.properties_path or file.path
    at = f"{path}:{line}: {file.name}: a test of {'column ' + column['name'] if column else 'the model'}"
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, dict) or len(written) != 1:
        raise ModelsRefused(f"{at} is neither KIND nor `KIND: {{arguments: …}}`: {written!r}")
    [(kind, given)] = written.items()
    given = given or {}
    known = project.templates.kinds.get(kind)
    if known is None:
        raise ModelsRefused(
            f"{at} has the unknown kind {kind!r}: use one of {', '.join(project.templates.kinds)}, or add it to "
            "tests/generic; those of packages are not supported"
        )
    config = {**project.config("data_tests", path, file.name), **(given.get("config") or {})}
    arguments = {**(given.get("arguments") or {})}
    problems = [*wrong(given, TEST, str(path), line, kind), *wrong(config, CONFIG, str(path), line, kind)]
    if column and "column_name" not in arguments:
        arguments["column_name"] = identifier(column["name"]) if column.get("quote") else column["name"]
    if missing := sorted(known.required - arguments.keys()):
        remedy = "move it to data_tests of a column" if missing == ["column_name"] else "add it below arguments"
        problems.append(f"{at}: {kind} needs {missing[0]}: {remedy}")
    if more := sorted(arguments.keys() - {*known.parameters}):
        remedy = "move it to data_tests of the model" if more == ["column_name"] else f"it takes {known.parameters}"
        problems.append(f"{at}: {kind} has no argument {more[0]}: {remedy}")
    if problems:
        raise ModelsRefused("\n".join(problems))
    columns = arguments.get("combination_of_columns") or ([column["name"]] if column else [])
    name = given.get("name") or "_".join([*columns, kind.replace("unique_combination_of_columns", "unique")])
    return DataTest(
        "".join(letter if letter.isalnum() else "_" for letter in name).strip("_"),
        kind,
        path,
        f"{{{{ test_{kind}(**arguments) }}}}",
        line,
        column["name"] if column else None,
        arguments,
        config,
        project.text(file, given.get("description")),
    )


def singular_test(project: Project, file: File) -> DataTest:
    """The test of a file."""
    description = project.text(file, file.properties.get("description"))
    return DataTest(file.name, SINGULAR, file.path, file.text, config=file.config, own_description=description)
