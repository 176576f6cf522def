"""What settings are read from: the environment, `.env` files and dlt's TOML files.

What has the highest precedence comes first. The working folder's `.env` comes before the environment, since
Dagster's commands load it over the environment before they import the project: so all commands behave the same.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pydantic_core
from dotenv import dotenv_values
from dotenv.parser import parse_stream

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT = "the environment"
ENV_FILE, SECRETS_FILE, CONFIG_FILE = Path(".env"), Path(".dlt/secrets.toml"), Path(".dlt/config.toml")

PACKAGE_PARENT = Path(__file__).resolve().parent.parent.parent
"""The project's folder in a checkout; otherwise site-packages or the like."""


@dataclass(frozen=True)
class Document:
    """The content of one file, or of the environment.

    Attributes:
        origin: The file, or `the environment`.
        folder: The folder that relative paths in it start from.
        tree: Nested tables, as in TOML: `SOURCES__CRM__PER_PAGE` is `per_page` in `crm` in `sources`.
        problem: Why the file could not be read; the tree is then empty.
        is_toml: Whether names are keys of tables, not variables.
        may_hold_secrets: Whether secrets may be kept there.
    """

    origin: str
    folder: Path = Path()
    tree: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    is_toml: bool = False
    may_hold_secrets: bool = True


def checkout() -> Path | None:
    """The project's folder; None if the package is installed and has no project folder."""
    return PACKAGE_PARENT if (PACKAGE_PARENT / "pyproject.toml").is_file() else None


def default_data_dir() -> Path:
    """`data/` in the checkout, wherever a command was started; never inside an installed package."""
    return (checkout() or Path.cwd()) / "data"


def documents() -> Iterator[Document]:
    """All documents, the one with the highest precedence first: the working folder, then the project's.

    The project's folder is `DLT_PROJECT_DIR`, as for dlt itself, or the checkout.
    """
    configured, working = os.environ.get("DLT_PROJECT_DIR"), Path.cwd()
    project = Path(configured).absolute() if configured else checkout()
    for folder in dict.fromkeys(filter(None, (working, project))):
        variables, problem = _read(folder / ENV_FILE, _env_file)
        yield Document(str(folder / ENV_FILE), folder, tree(variables), problem)
        if folder == working:
            environment = {name: value for name, value in os.environ.items() if name not in variables}
            yield Document(ENVIRONMENT, folder, tree(environment))
        for name in (SECRETS_FILE, CONFIG_FILE):
            content, problem = _read(path := folder / name, tomllib.loads)
            yield Document(str(path), folder, content, problem, is_toml=True, may_hold_secrets=name == SECRETS_FILE)


def tree(variables: Mapping[str, str]) -> dict[str, Any]:
    """Variables as nested tables. Blank ones count as not set.

    Names may be in any case. If several differ in nothing else, the one in capitals counts, which dlt reads, too. A
    table may be given as JSON as well; its single variables come first. A text in the place of all settings, or of all
    of a CRM, is ignored: another program may have a variable `SOURCES`.
    """
    nested: dict[str, Any] = {}
    # Single variables before JSON, and capitals first.
    for name, value in sorted(variables.items(), key=lambda item: (-item[0].count("__"), not item[0].isupper())):
        if value.strip():
            *tables, last = name.lower().split("__")
            innermost = nested
            for key in tables:
                innermost = innermost.setdefault(key, {})
            found, also = innermost.setdefault(last, value), from_json(value)
            if isinstance(found, dict) and isinstance(also, dict):
                innermost[last] = merged(found, also)
            elif isinstance(found, dict) and len(tables) > 1:
                innermost[last] = value
    return nested


def from_json(value: Any) -> Any:
    """A table given as JSON; anything else as it is."""
    with suppress(ValueError):
        return pydantic_core.from_json(value) if isinstance(value, str) and value.lstrip().startswith("{") else value
    return value


def merged(first: Any, second: Any) -> Any:
    """Two tables as one, with the values of the first where both have one. Of other values, the first."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return first
    return {**second, **{key: merged(value, second.get(key)) for key, value in first.items()}}


def _read(path: Path, parse: Callable[[str], dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """A file's content, and why it could not be read."""
    try:
        return parse(path.read_bytes().decode("utf-8-sig")), ""
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return {}, _why_missing(path)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return {}, f"{path}, line {line}: not UTF-8. Save the file in this encoding"
    except tomllib.TOMLDecodeError as error:
        reason, _, position = str(error).rstrip(")").partition(" (at ")  # line 2, column 5), or: end of document)
        return {}, f"{path}, {position.partition(',')[0]}: {reason}. Correct it: strings need quotes"
    except (ValueError, RecursionError) as error:
        return {}, f"{path}, {'nested too deeply' if isinstance(error, RecursionError) else error}"
    except OSError as error:
        return {}, f"{path}: {error.strerror}. Allow the user who runs this to read it"


def _why_missing(path: Path) -> str:
    """Why a file is not there that was meant to be; empty if none was. Some name a virtual environment `.env`."""
    if path.is_dir() and not any(path.iterdir()):
        return f"{path}: an empty folder, as a container makes when it mounts a missing file"
    broken = [link for link in (path, path.parent) if link.is_symlink() and not link.exists()]
    return f"{broken[0]}: a link to a missing file or folder. Correct or remove it" if broken else ""


def _env_file(text: str) -> dict[str, Any]:
    """The variables of a `.env` file.

    Raises:
        ValueError: A line is not one.
    """
    for binding in parse_stream(StringIO(text)):
        if binding.error:
            raise ValueError(f"line {binding.original.line}: not of the form NAME=value. Correct or remove this line")
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value is not None}
