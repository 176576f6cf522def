"""`constraints.txt`: one version of each package for each supported Python, from no particular index."""

import re
from collections import Counter
from pathlib import Path

import pytest
import tomlkit
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[1]
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def constraints(file: str) -> list[Requirement]:
    """The file's lines without comments. A line with an address is no requirement, and an error."""
    lines = (PROJECT / file).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("file", ["constraints.txt", "constraints-dbt.txt"])
def test_a_package_has_one_version(file: str, python: str) -> None:
    pins = [pin for pin in constraints(file) if not pin.marker or pin.marker.evaluate({"python_version": python})]
    versions = Counter(canonicalize_name(pin.name) for pin in pins)
    assert [name for name, count in versions.items() if count > 1] == []
    assert [pin.name for pin in pins if pin.url or not str(pin.specifier).startswith("==")] == []


def test_each_direct_dependency_has_a_reason() -> None:
    project = tomlkit.parse((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {Requirement(each).name for each in project["dependencies"]}
    reasons = (PROJECT / "docs" / "decisions.md").read_text(encoding="utf-8").partition("## Dependencies")[2]
    listed = [line.split("|")[1] for line in reasons.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert {name for cell in listed for name in re.findall("`(.+?)`", cell)} == names
    assert len(names) < 20
