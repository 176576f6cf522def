"""The places that settings are read from: the environment, `.env` files and dlt's TOML files.

The place with the highest precedence comes first. The working folder's `.env` comes before the environment, since
Dagster's commands load it over the environment before they import the project: so all commands behave the same.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from crm_assets.errors import SettingsError
from crm_assets.settings.places import settings_folders

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT = "the environment"
ENV_FILE, SECRETS_FILE, CONFIG_FILE = Path(".env"), Path(".dlt/secrets.toml"), Path(".dlt/config.toml")

BESIDE = ""
"""In a table made from variables, the key of the table's own variable: of `A`, if `A__B` is set, too."""


@dataclass(frozen=True)
class Document:
    """The content of one place.

    Attributes:
        place: The file, or `the environment`.
        folder: The folder that relative paths in it start from.
        tree: Nested tables, as in TOML: `SOURCES__CRM__PER_PAGE` is `per_page` in `crm` in `sources`.
        problem: Why the file could not be read; the tree is then empty.
        has_variables: Whether names are written as variables, not as keys of tables.
        may_hold_secrets: Whether secrets may be kept there.
    """

    place: str
    folder: Path = Path()
    tree: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    has_variables: bool = True
    may_hold_secrets: bool = True


def documents() -> Iterator[Document]:
    """All places, the one with the highest precedence first."""
    working, *others = settings_folders()
    laid_over, problem = _env_file(working / ENV_FILE)
    yield Document(str(working / ENV_FILE), working, tree(laid_over), problem)
    environment = {name: value for name, value in os.environ.items() if name not in laid_over}
    yield Document(ENVIRONMENT, working, tree(environment))
    yield from _toml_documents(working)
    for folder in others:
        variables, problem = _env_file(folder / ENV_FILE)
        yield Document(str(folder / ENV_FILE), folder, tree(variables), problem)
        yield from _toml_documents(folder)


def tree(variables: Mapping[str, str]) -> dict[str, Any]:
    """Variables as nested tables. Empty ones count as not set.

    Names may be in any case. If several differ in nothing else, the one in capitals counts, which dlt reads, too.
    """
    nested: dict[str, Any] = {}
    # Tables before what stands beside them, and capitals first.
    for name, value in sorted(variables.items(), key=lambda item: (-item[0].count("__"), not item[0].isupper())):
        if value:
            *tables, last = name.lower().split("__")
            table = nested
            for key in tables:
                table = table.setdefault(key, {})
            if isinstance(table.get(last), dict):
                table[last].setdefault(BESIDE, value)
            else:
                table.setdefault(last, value)
    return nested


def _toml_documents(folder: Path) -> Iterator[Document]:
    for name in (SECRETS_FILE, CONFIG_FILE):
        yield _toml_document(folder, name, may_hold_secrets=name == SECRETS_FILE)


def _toml_document(folder: Path, name: Path, *, may_hold_secrets: bool) -> Document:
    path, text = folder / name, ""
    try:
        text = _text(path)
        content, problem = tomllib.loads(text), ""
    except tomllib.TOMLDecodeError as error:
        reason, _, position = str(error).partition(" (at ")  # line 2, column 5), or: end of document)
        line = re.match(r"line \d+", position)
        where = line[0] if line else f"line {len(text.splitlines())}"
        content, problem = {}, f"{path}, {where}: {reason}. Correct it: strings need quotes"
    except SettingsError as error:
        content, problem = {}, str(error)
    return Document(str(path), folder, content, problem, has_variables=False, may_hold_secrets=may_hold_secrets)


def _env_file(path: Path) -> tuple[dict[str, str], str]:
    """The variables of a `.env` file, and why it could not be read."""
    try:
        text = _text(path)
    except SettingsError as error:
        return {}, str(error)
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            return {}, f"{path}, line {binding.original.line}: not of the form NAME=value. Correct or remove this line"
    values = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}, ""


def _text(path: Path) -> str:
    """A file's text; empty if there is none. A folder is ignored: some name a virtual environment `.env`.

    Raises:
        SettingsError: It cannot be read.
    """
    content = b""
    try:
        content = path.read_bytes()
        return content.decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return ""
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}, line {line}: not UTF-8. Save the file in this encoding") from None
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}. Allow the user who runs this to read it") from None
