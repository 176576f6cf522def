"""The documented settings are those that there are."""

import ast
import re
from inspect import getsource
from itertools import pairwise
from pathlib import Path

import pytest

from crm_assets.commands.configuration import SETTINGS
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.deployment import DeploymentSettings
from crm_assets.settings.finding import allowed, find
from crm_assets.settings.names import setting_name, toml_name

PROJECT = Path(__file__).parents[2]
TABLE = re.findall(
    r"^\| `[a-z_.]+` \| `[A-Z_]+` .*$", (PROJECT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE
)


DEFAULTS = {
    "data_dir": "`data/` in the project, or in the working folder of an installed package",
    "warehouse": "`crm.duckdb` in the data directory",
    "endpoints": "the paths of `api.py`",
}
"""Defaults that are no value of the setting."""


def default(name: str) -> str:
    """A setting's default; `none` without one."""
    value = CrmSettings.model_fields[name].default
    if name in DEFAULTS:
        return DEFAULTS[name]
    value = getattr(value, "value", value)
    return "none" if value in (None, ()) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def documented_row(name: str) -> str:
    """A setting's row in the table of docs/settings.md."""
    variable = setting_name(name)
    return f"| `{toml_name(variable)}` | `{variable}` | {default(name)} | {allowed(name)} | {descriptions()[name]} |"


def descriptions() -> dict[str, str]:
    """Setting -> the text below it."""
    found = {}
    for settings in (DeploymentSettings, CrmSettings):
        [definition] = ast.parse(getsource(settings)).body
        for field, text in pairwise(definition.body if isinstance(definition, ast.ClassDef) else ()):
            match field, text:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(description))):
                    found[name] = " ".join(description.split())
    return found


def test_the_table_lists_every_setting_as_the_object_has_it() -> None:
    assert [documented_row(name) for name in SETTINGS] == TABLE


def test_the_readme_has_no_other_names_nor_defaults() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `((?:SOURCES__CRM|CRM)_[A-Z_]+)` \| (.*?) \|", text, re.MULTILINE))
    assert len(rows) == 10
    known = {setting_name(name): default(name).strip("`") for name in SETTINGS}
    assert rows.keys() <= known.keys()
    told_otherwise = {"SOURCES__CRM__BASE_URL", "SOURCES__CRM__ENDPOINTS", "CRM_DATA_DIR"}
    for variable in rows.keys() - told_otherwise:
        assert rows[variable].strip("`") == known[variable]


def test_the_example_has_no_other_names() -> None:
    text = (PROJECT / ".env.example").read_text("utf-8")
    variables = set(re.findall(r"^# ([A-Z_]+)=", text, re.MULTILINE))
    assert variables
    assert variables <= {setting_name(name) for name in SETTINGS}


def test_documented_variables_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = "".join(page.read_text("utf-8") for page in (PROJECT / "docs").glob("*.md"))
    for name in set(re.findall(r"\b(CRM_[A-Z_]+)=", pages)):
        monkeypatch.setenv(name, "x")
    assert find().unknown == []
