"""The documented settings are those that there are."""

import re
from pathlib import Path

import pytest

from crm_assets.commands.settings import SETTINGS, default, documented_row
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.names import setting_name

PROJECT = Path(__file__).parents[2]
TABLE = re.findall(
    r"^\| `[a-z_.]+` \| `[A-Z_]+` .*$", (PROJECT / "docs" / "settings.md").read_text("utf-8"), re.MULTILINE
)


def test_the_table_lists_every_setting_as_the_object_has_it() -> None:
    assert [documented_row(name) for name in SETTINGS] == TABLE


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_a_description(name: str) -> None:
    assert CrmSettings.model_fields[name].description


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
