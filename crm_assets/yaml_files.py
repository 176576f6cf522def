"""Reads YAML files with line numbers, so that messages can name the line to change."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor
from yaml.reader import ReaderError

from crm_assets.errors import CrmAssetsError

FAST_SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""PyYAML's safe loader, in C if it was built with libyaml, which makes every start faster."""


class Section(dict[str, Any]):
    """A mapping. `line` is its first line, `lines` has the line of each key."""

    line: int = 1
    lines: Mapping[str, int]


class Items(list[Any]):
    """A list. `lines` has the first line of each item."""

    lines: tuple[int, ...] = ()


def read_yaml(path: Path, refused: type[CrmAssetsError]) -> Any:
    """The content of a YAML file, with `Section` and `Items` instead of dict and list.

    Raises:
        CrmAssetsError: It is not YAML, or has a key twice. The error is a `refused`, with file and line.
    """
    written = path.read_bytes()
    remedy = "Save the file as UTF-8, without control characters"
    if written.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # which YAML allows, but Dagster and dbt do not read
        raise refused(f"{path}:1: this is not valid YAML: it is UTF-16. {remedy}")
    try:
        node = yaml.compose(written, Loader=FAST_SAFE_LOADER)
        return None if node is None else _value(node, SafeConstructor())
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise refused(f"{path}{line}: this is not valid YAML: {error.problem}") from None
    except RecursionError:
        raise refused(f"{path}: this is nested too deeply, or an alias is part of what it stands for") from None
    except ReaderError as error:
        number = written.count(b"\n", 0, error.position) + 1
        raise refused(f"{path}:{number}: this is not valid YAML: {error.reason}. {remedy}") from None


def line_of(value: Any, key: str | None = None, default: int = 1) -> int:
    """The line of a mapping or of one of its keys; the default if it was not read from a file."""
    if not isinstance(value, Section):
        return default
    return value.lines.get(key, value.line) if key else value.line


def _value(node: yaml.Node, scalars: SafeConstructor) -> Any:
    if node.tag not in scalars.yaml_constructors:
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} is unknown", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        items = Items(_value(item, scalars) for item in node.value)
        items.lines = tuple(_line(item) for item in node.value)
        return items
    if isinstance(node, yaml.MappingNode):
        scalars.flatten_mapping(node)
        section = Section()
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not a text: quote it", problem_mark=key_node.start_mark)
            key = _value(key_node, scalars)
            if key in section:
                raise yaml.MarkedYAMLError(problem=f"{key} is there twice", problem_mark=key_node.start_mark)
            section[key] = _value(value_node, scalars)
            lines[key] = _line(key_node)
        section.line, section.lines = _line(node), lines
        return section
    try:
        return scalars.construct_object(node)
    except ValueError as error:  # a date such as 2026-02-30
        raise yaml.MarkedYAMLError(problem=f"{error}: quote a text", problem_mark=node.start_mark) from None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
