"""A wrong `defs.yaml` is one line for each error, in place of Dagster's traceback."""

import sys
from pathlib import Path

import pytest

from crm_assets.components.refusals import TYPE, refuse
from crm_assets.errors import CrmAssetsError, ModelsRefused, SettingsError
from crm_assets_tests.clones import copy_of_the_project
from crm_assets_tests.processes import completed

ATTRIBUTE = f"type: {TYPE}\n\nattributes:\n  "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ATTRIBUTE}nam: north\n", "4: nam: there are only name, resources, cadence_minutes, start_minute"),
        (f"{ATTRIBUTE}start_minute: many\n", "4: start_minute: Input should be a valid integer"),
        (f"{ATTRIBUTE}name: North\n", "4: name: 'North' cannot be the name of a CRM"),
        (f"{ATTRIBUTE}- name\n", "3: attributes: Input should be a valid dictionary"),
        (f"{ATTRIBUTE}name: [\n", "5: this is not valid YAML"),
        (f"{ATTRIBUTE}name: a\n  name: b\n", "5: this is not valid YAML: name is there twice"),
        (f"type: {TYPE}\nname: north\n", "2: name: write it below attributes, and indent it"),
        ("attributes: {}\n", f"1: type is missing: write {TYPE}"),
        ("", f"1: type is missing: write {TYPE}"),
        ("\ufeff", "1: this is not valid YAML: it is UTF-16. Save the file as UTF-8"),
        ("\ntype: crm_assets.components.Crm\n", f"2: type is crm_assets.components.Crm: write {TYPE}"),
    ],
    ids=[
        "unknown",
        "type",
        "name",
        "list",
        "yaml",
        "twice",
        "not-indented",
        "no-type",
        "empty",
        "utf-16",
        "other-type",
    ],
)
def test_wrong_file_is_refused_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "north" / "defs.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-16-le" if text.startswith("\ufeff") else "utf-8")
    with pytest.raises(SettingsError) as raised:
        refuse(ValueError("of Dagster"), tmp_path)
    assert str(raised.value).startswith(f"{path}:{message}")


def test_error_of_the_project_is_raised_in_place_of_dagsters(tmp_path: Path) -> None:
    error = ValueError("of Dagster")
    error.__cause__ = ModelsRefused("a.sql:1: wrong")
    with pytest.raises(CrmAssetsError, match=r"a\.sql:1: wrong"):
        refuse(error, tmp_path)


def test_two_crms_with_one_name_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "defs.yaml" for folder in ("crm", "north")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"type: {TYPE}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        refuse(ValueError("of Dagster"), tmp_path)
    assert str(raised.value).startswith(f"{paths[1]}:1: name: {paths[0]}:1 has the same, ''.")


@pytest.mark.parametrize(
    "text", [f"{ATTRIBUTE}start_minute: '{{{{ env.START }}}}'\n", f"type: {TYPE}\n---\ntype: {TYPE}\n"]
)
def test_what_dagster_alone_understands_is_left_to_it(text: str, tmp_path: Path) -> None:
    (tmp_path / "defs.yaml").write_text(text, encoding="utf-8")
    refuse(ValueError("of Dagster"), tmp_path)


def test_components_of_other_packages_are_left_to_dagster(tmp_path: Path) -> None:
    (tmp_path / "defs.yaml").write_text("type: dagster_sling.SlingReplicationCollectionComponent\n", encoding="utf-8")
    refuse(ValueError("of Dagster"), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "written", "instead", "message"),
    [
        ("defs/crm/defs.yaml", "attributes: {}", "attributes: {nam: north}", "{path}:4: nam: "),
        ("api.py", '"open_tasks":', '"sync_log":', "sync_log in api.py cannot be the name of a list"),
    ],
)
def test_command_that_loads_definitions_says_nothing_else(
    file: str, written: str, instead: str, message: str, tmp_path: Path
) -> None:
    project = copy_of_the_project(tmp_path / "copy")
    path = project / "crm_assets" / file
    assert written in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(written, instead), encoding="utf-8")
    command = [sys.executable, "-m", "crm_assets", "run", "crm_check"]
    done = completed(command, cwd=project)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(message.format(path=path))
    assert "Traceback" not in done.stderr
