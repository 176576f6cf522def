"""`crm-assets settings`: every setting with its value and its origin, and all that is wrong."""

import json
import sys
from pathlib import Path

import pytest

from crm_assets.__main__ import main
from crm_assets.commands.configuration import SETTINGS
from crm_assets.settings.names import setting_name
from crm_assets_tests.scripted_crm import KEY


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was printed, by variable."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    return {variable: " ".join(others) for variable, *others in (line.split() for line in lines)}


def test_each_has_its_value_and_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text("SOURCES__CRM__BASE_URL=https://crm.example\n", encoding="utf-8")
    monkeypatch.setenv("API_KEY", KEY)
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__CONTACTS__PARAMS__ACCESS_TOKEN", "hush")
    assert main(["settings"]) == 0
    lines = shown(capsys)
    assert lines.keys() >= {setting_name(name) for name in SETTINGS}
    assert lines["SOURCES__CRM__BASE_URL"].startswith(f"https://crm.example {tmp_path / '.env'}")
    assert lines["SOURCES__CRM__API_KEY"].startswith("*** the environment")
    assert lines["SOURCES__CRM__PER_PAGE"] == "50 default 1 to 100"
    assert KEY not in str(lines)
    assert "hush" not in str(lines)


def test_lines_fit_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("CRM_DATA_DIR", "/srv/crm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["settings"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[lines.index("CRM_DATA_DIR (the environment)") + 1] == "    /srv/crm"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCES__CRM__PER_PAGE", "0"),
        ("SOURCES__CRM__PERPAGE", "50"),
        ("SOURCES__CRM__API_KEY", KEY),
        ("CRM_LAEK", "ducklake:crm"),
        ("CRM_SCHEDULE_TIMEZONE", "Nowhere/Bad"),
        ("CRM_EXECUTOR", "threads"),
    ],
)
def test_command_fails_if_any_setting_is_wrong(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert main(["settings"]) == 1
    message = capsys.readouterr().out.splitlines()[-1]
    assert name in message
    assert KEY not in message


def test_addresses_that_no_alert_can_reach_are_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_NOTIFY", "slak://hush-hush/a, json://me:hush-hush@mail.example")
    assert main(["settings"]) == 1
    output = capsys.readouterr().out
    [message] = [line for line in output.splitlines() if line.startswith("Setting ")]
    assert message.startswith("Setting crm_notify (CRM_NOTIFY) in the environment: address 1 of 2, of kind 'slak', is")
    assert "hush" not in output


def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".env").write_text("what is this\n", encoding="utf-8")
    assert main(["settings"]) == 1
    assert f"{tmp_path / '.env'}, line 1" in capsys.readouterr().out


def test_other_commands_warn_of_unknown_variables_and_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_WAREHUOSE", "ducklake:crm")
    main(["tables"])
    warning, outcome = capsys.readouterr().err.splitlines()
    assert "CRM_WAREHUOSE in the environment. Did you mean CRM_WAREHOUSE?" in warning
    assert "does not exist yet" in outcome


def test_json_has_all_settings_and_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "0")
    assert main(["settings", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    values = {row["setting"]: row["value"] for row in found["settings"]}
    assert values.keys() >= {setting_name(name) for name in SETTINGS}
    unset = ("SOURCES__CRM__BASE_URL", "SOURCES__CRM__API_KEY", "SOURCES__CRM__PERSONAL_DATA_ALLOWED")
    assert {values[name] for name in unset} == {None}
    assert values["SOURCES__CRM__PER_PAGE"] == "not allowed"
    [problem] = found["problems"]
    assert "SOURCES__CRM__PER_PAGE" in problem
    assert not any("`" in each["allowed"] for each in found["settings"])
