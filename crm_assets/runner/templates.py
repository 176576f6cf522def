"""Renders dbt's templates with Jinja2's sandbox. They have macros and what dbt offers without a connection."""

import json
import os
import re
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.nativetypes import native_concat
from jinja2.runtime import Context, Macro
from jinja2.sandbox import SandboxedEnvironment

from crm_assets.errors import ModelsRefused
from crm_assets.runner.lineage import reserved_words
from crm_assets.warehouse.tables import identifier

BLOCKS = (
    (re.compile(r"(\{%-?\s*)(?:data_)?test\s+(\w+)"), r"\1macro test_\2"),
    (re.compile(r"(\{%-?\s*)end(?:data_)?test\b"), r"\1endmacro"),
    (re.compile(r"(\{%-?\s*)docs\s+(\w+)"), r"\1macro docs_\2()"),
    (re.compile(r"(\{%-?\s*)enddocs\b"), r"\1endmacro"),
    (re.compile(r"\{%-?\s*(?:end)?snapshot\b.*?%\}"), ""),
)
"""dbt's own blocks -> Jinja. A snapshot's name is that of its file."""

DOCS = re.compile(r"(.*?)(\{%-?\s*docs\s.*?(?:enddocs\s*-?%\}|\Z)|\Z)", re.DOTALL)
"""What is before a docs block, and the block. Markdown may have braces elsewhere."""

SENTENCE = re.compile(r"\{# (passes|fails): (.*?) #\}", re.DOTALL)
FUNCTION = re.compile(r"\s*(?:ref|source|var|env_var|doc)\s*\(.*\)\s*")
"""A text of YAML that is an expression without braces, as dbt allows."""

EXPRESSION = re.compile(r"\s*\{\{((?:(?!\}\}).)*)\}\}\s*", re.DOTALL)
PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
ALLOWED = re.compile(r"DBT_(?!ENV_SECRET).*|CRM_DATA_DIR|CRM_DATABASE")
"""The environment variables of templates: no secrets."""

MISSING = (
    "adapter calls, queries while rendering and packages are not supported: write a macro in macros/ or plain SQL, or "
    "build the project with dbt, as docs/dbt.md shows"
)


class Relation(str):  # noqa: SLOT000 # slots and annotations exclude each other
    """A table in SQL, with the attributes that it has in dbt. `sql`: what to write instead of its address."""

    schema: str
    name: str
    table = identifier = property(lambda relation: relation.name)

    def __new__(cls, schema: str, name: str, sql: str | None = None) -> "Relation":  # noqa: PYI034 # Self is newer
        """Takes its schema and its name."""
        address = ".".join(map(_quoted, (schema, name)))
        relation = super().__new__(cls, sql or address)
        relation.schema, relation.name = schema, name
        return relation

    @property
    def address(self) -> str:
        """Schema and name without quotes, in lower case, as DuckDB compares them."""
        return f"{self.schema}.{self.name}".lower()


def _quoted(name: str) -> str:
    return name if PLAIN.fullmatch(name) and name not in reserved_words() else identifier(name)


class Native(str):
    """A text that is read as a value where YAML takes one, such as `True`. In SQL it is the text, as in dbt."""

    __slots__ = ()


class Scope(dict[str, Any]):
    """What a template can use, by name. Macros see names that are added later, too.

    Attributes:
        templates: What renders it.
        reads: Gets the addresses that `ref` and `source` stand for.
    """

    def __init__(self, templates: "Templates", names: Mapping[str, Any]) -> None:
        super().__init__(names)
        self.templates = templates
        self.reads: set[str] = set()

    def render(self, path: Path, text: str, line: int = 1, **names: Any) -> str:
        """A template's text. `names`: what it can use besides.

        Raises:
            ModelsRefused: It is wrong, or uses what is not supported. The message has file and line.
        """
        if "{" not in text:
            return text
        with self.templates.located(path, line):
            # A line within a test's text is not one of its file.
            return self.templates.compiled(path if line == 1 else Path("a test"), text).render({**self, **names})

    def value(self, path: Path, written: Any, line: int = 1, *, braces: bool = True) -> Any:
        """A value of YAML with its templates filled in. A single expression keeps its type.

        `braces`: whether expressions need them; `ref('…')` and the like do not in arguments of tests.
        """
        if isinstance(written, Mapping):
            return {key: self.value(path, value, line, braces=braces) for key, value in written.items()}
        if isinstance(written, list):
            return [self.value(path, value, line, braces=braces) for value in written]
        if not isinstance(written, str):
            return written
        found = not braces and FUNCTION.fullmatch(written)
        expression = written if found else (EXPRESSION.fullmatch(written) or ("", None))[1]
        if expression is None:
            return self.render(path, written, line)
        with self.templates.located(path, line):
            found = self.templates.expression(expression)(self)
            return native_concat([found]) if isinstance(found, Native) else found


class _Environment(SandboxedEnvironment):
    """Jinja2's sandbox, in which `return` ends the macro that calls it, also if it was called by one of its file."""

    def call(self, context: Context, callee: Any, /, *arguments: Any, **named: Any) -> Any:
        """Calls something for a template."""
        try:
            return super().call(context, callee, *arguments, **named)
        except _Returned as returned:
            if isinstance(callee, Macro):
                return returned.args[0]
            raise


@dataclass(frozen=True)
class Kind:
    """A kind of data test: the parameters of its macro, and sentences about rows that pass and that fail."""

    parameters: tuple[str, ...]
    required: frozenset[str]
    passes: str
    fails: str


class _Returned(Exception):
    """A macro's value, from `return`. It is an error only outside of a macro."""


def _return(value: Any = None) -> NoReturn:
    raise _Returned(value)


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        ModelsRefused: It is not in UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ModelsRefused(f"{path}:{line}: not UTF-8. Save the file in this encoding") from None


def refuse(message: str) -> NoReturn:
    """Stops rendering. The message gets file and line."""
    raise TemplateError(message)


def _native(value: Any) -> Any:
    return Native(value) if isinstance(value, str) else value


def _env_var(name: str, default: str | None = None) -> str:
    if not ALLOWED.fullmatch(name):
        refuse(f"env_var cannot read {name}: use a name that begins with DBT_")
    value = os.environ.get(name, default)
    return refuse(f"the environment variable {name} is not set") if value is None else value


BUILTINS: Mapping[str, Any] = {
    "return": _return,
    "log": lambda *_, **__: "",
    "print": lambda *_: "",
    "env_var": _env_var,
    "tojson": json.dumps,
    "fromjson": json.loads,
    "zip": zip,
    "exceptions": {"raise_compiler_error": refuse, "warn": lambda *_: ""},
    "target": {"name": "crm_assets", "type": "duckdb", "schema": "main", "database": "crm", "threads": 1},
}


class Templates:
    """Macros, kinds of data tests, and compiled templates.

    Attributes:
        kinds: The kinds of data tests, by name.
    """

    def __init__(self) -> None:
        self._environment = _Environment(
            undefined=StrictUndefined,
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"],
            keep_trailing_newline=True,
        )
        self._environment.filters |= dict.fromkeys(("as_bool", "as_number", "as_native"), _native)
        self._environment.filters["as_text"] = lambda value: value
        self.compiled = cache(self._compile)
        self.expression = cache(partial(self._environment.compile_expression, undefined_to_none=False))
        self._macros: dict[Path, Template] = {}
        self.kinds: dict[str, Kind] = {}

    def add_macros(self, path: Path) -> Sequence[nodes.Macro]:
        """Adds the macros and generic tests of a file, and returns them."""
        text = text_of(path)
        if path.suffix == ".md":
            text = DOCS.sub(lambda found: "\n" * found[1].count("\n") + found[2], text)
        with self.located(path):
            parsed = self._environment.parse(_in_jinja(text))
        self._macros[path] = self._compile(path, parsed)
        sentences = {kind: " ".join(sentence.split()) for kind, sentence in SENTENCE.findall(text)}
        macros = [node for node in parsed.body if isinstance(node, nodes.Macro)]
        for macro in macros:
            if macro.name.startswith("test_"):
                names = [argument.name for argument in macro.args]
                required = frozenset(names[: len(names) - len(macro.defaults)]) - {"model"}
                sentence = (sentences.get("passes", ""), sentences.get("fails", ""))
                parameters = tuple(name for name in names if name != "model")
                self.kinds[macro.name.removeprefix("test_")] = Kind(parameters, required, *sentence)
        return macros

    def scope(self, names: Mapping[str, Any]) -> Scope:
        """A scope with these names and all macros."""
        scope = Scope(self, {**self._environment.globals, **BUILTINS, **names})
        for path, template in self._macros.items():
            context = template.new_context(scope, shared=True)
            with self.located(path):
                "".join(template.root_render_func(context))
            scope |= {name: macro for name, macro in context.vars.items() if isinstance(macro, Macro)}
        return scope

    def _compile(self, path: Path, source: str | nodes.Template) -> Template:
        with self.located(path):
            jinja = _in_jinja(source) if isinstance(source, str) else source
            code = self._environment.compile(jinja, filename=str(path))
        return Template.from_code(self._environment, code, {})

    @contextmanager
    def located(self, path: Path, line: int = 1) -> Iterator[None]:
        """Adds file and line to errors."""
        try:
            yield
        except ModelsRefused:
            raise
        except TemplateSyntaxError as error:
            raise ModelsRefused(f"{path}:{error.lineno}: {error.message}") from None
        except Exception as error:  # noqa: BLE001 # whatever a template does
            files = {str(path), *map(str, self._macros)}
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
            at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else f"{path}:{line}"
            advice = f": {MISSING}" if isinstance(error, UndefinedError) else ""
            raise ModelsRefused(f"{at}: {error}{advice}") from None


@cache
def statements() -> Scope:
    """The macros of `statements/`: what makes tables of SELECTs. Names of a project's own macros are none of theirs."""
    templates = Templates()
    for path in (Path(__file__).parent / "statements").glob("*.sql"):
        templates.add_macros(path)
    return templates.scope({})


def _in_jinja(text: str) -> str:
    for pattern, replacement in BLOCKS:
        text = pattern.sub(replacement, text)
    return text
