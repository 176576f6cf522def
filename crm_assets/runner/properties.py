"""Reads dbt's properties files. Each wrong key or type is refused with file and line: it could be a test never run."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any

from crm_assets.errors import ModelsRefused
from crm_assets.yaml_files import line_of, read_yaml

KNOWN: dict[str, Mapping[str, str]] = read_yaml(Path(__file__).with_name("properties.yml"), ModelsRefused)
"""Section -> key -> kind of its value. The file says what kinds there are."""

KNOWN["folder"] = {f"{plus}{key}": kind for plus in ("", "+") for key, kind in KNOWN["config"].items()}

TYPES: Mapping[str, tuple[type, str]] = {
    "text": (str, "a text"),
    "list": (list, "a list below it"),
    "keys": (dict, "keys and values below it"),
    "boolean": (bool, "true or false, without quotes"),
    "null": (NoneType, "null"),
}

FOR_DBT = "build the project with dbt, as docs/dbt.md shows"


def read_properties(path: Path, section: str) -> Mapping[str, Any]:
    """The content of a properties file, or of `dbt_project.yml`.

    Raises:
        ModelsRefused: Something in it is unknown or has the wrong type; the message lists all of it.
            Or the file cannot be read.
    """
    try:
        document = read_yaml(path, ModelsRefused) or {}
    except OSError as error:
        raise ModelsRefused(f"{path}: {error.strerror}. Restore it, for the user who runs this to read it") from None
    refuse_wrong(document, section, path)
    return document


def refuse_wrong(value: Any, section: str, path: Path, line: int = 1, where: str = "the file") -> None:
    """Refuses unknown keys, other types, and other values than those that are allowed.

    Raises:
        ModelsRefused: There are some. The message lists all.
    """
    if problems := [*_wrong(value, f"keys of {section}", path, line, where)]:
        raise ModelsRefused("\n".join(problems))


def _wrong(value: Any, kind: str, path: Path, line: int, where: str) -> Iterator[str]:
    at = f"{path}:{line}: {where} is {value!r}"
    shape, _, section = kind.partition(" of ")
    if kind == "any" or (value is None and shape not in {"boolean", "list"}):
        return
    if shape == "one":
        if str(value) not in section.split(", ") and "{{" not in str(value):
            yield f"{at}: use one of {section}"
        return
    types = [TYPES[name] for name in shape.split(" or ")]
    if not isinstance(value, tuple(type_ for type_, _ in types)):
        if "boolean" not in shape or "{{" not in str(value):
            yield f"{at}: write {' or '.join(words for _, words in types)}"
    elif section and shape == "list":
        yield from _wrong_entries(value, section, path, where)
    elif section:
        yield from _wrong_keys(value, section, path, line, where)


def _wrong_entries(value: Any, section: str, path: Path, where: str) -> Iterator[str]:
    for item, item_line in zip(value, value.lines, strict=True):
        if isinstance(item, dict) and isinstance(item.get("name"), str):
            yield from _wrong_keys(item, section, path, item_line, item["name"])
        else:
            yield f"{path}:{item_line}: an entry of {where} has no name: {item!r}"


def _wrong_keys(value: Any, section: str, path: Path, line: int, where: str) -> Iterator[str]:
    known = KNOWN[section]
    for key in value:
        is_folder = section == "folder" and not str(key).startswith("+") and isinstance(value[key], dict | None)
        if is_folder or key in known:
            kind = "keys of folder" if is_folder else known[key]
            yield from _wrong(value[key], kind, path, line_of(value, key, line), f"{where}: {key}")
        else:
            close = get_close_matches(str(key), known, 1, 0.8)
            below = "config" if key in KNOWN["config"] else "arguments"
            instead = f"move it below {below}" if below in known else f"remove it, or {FOR_DBT}"
            remedy = f"did you mean {close[0]}?" if close else instead
            remedy = KNOWN["remedies"].get(str(key).removeprefix("+"), remedy)
            yield f"{path}:{line_of(value, key, line)}: {where}: the key {key!r} cannot be used: {remedy}"
