"""`crm-assets check`: its output, its exit code, and that it writes nothing."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from crm_assets.__main__ import main
from crm_assets.api import ENDPOINTS
from crm_assets_tests.probing.checked_crm import linked
from crm_assets_tests.scripted_crm import KEY, always, configured_crm, json_response

MARK = "marked-value-8151"


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Runs the command; returns exit code, output and errors."""
    code = main(["check", *arguments])
    output = capsys.readouterr()
    assert KEY not in output.out + output.err
    assert MARK not in output.out + output.err
    return code, output.out, output.err


def lists(count: int) -> dict[str, list[Any]]:
    return {resource: linked(count, title=MARK, due_date=MARK, unheard_of=MARK) for resource in ENDPOINTS}


def test_addresses_that_no_alert_can_reach_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_NOTIFY", MARK)
    with configured_crm(lists=lists(1)):
        code, _, errors = check(capsys)
    assert code == 0
    assert "in the environment: address 1 of 1, of kind 'unknown', is not one that Apprise supports" in errors


def test_findings_fit_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists=lists(120)) as crm:
        code, output, _ = check(capsys)
    lines = output.splitlines()
    assert code == 0
    assert lines[0] == f"CRM: {crm.base_url}"
    assert max(map(len, lines)) <= 80
    [accounts] = [line.split() for line in lines if line.startswith("accounts ")]
    assert [accounts[1], *accounts[4:]] == ["200", "120", "yes", "-", "100%", "3", "2"]
    assert f"A full read:          {3 * len(ENDPOINTS)} requests, at least 1 s" in lines
    assert "  open_tasks, of another type (1): due_date (70 x a string, not timestamp)" in lines
    assert lines[-1] == "Every list can be read."


def test_unreadable_list_is_an_error_with_its_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists=lists(2)) as crm:
        crm.faults.append(always("contacts", lambda: json_response({"message": "Not\x1b[31m for you"}, 403)))
        code, output, _ = check(capsys)
    assert code == 1
    assert "status 403" in output
    assert "SOURCES__CRM__API_KEY" in output
    assert output.splitlines()[-1] == "Cannot be read completely: contacts"
    assert "\x1b" not in output


def test_silent_crm_is_reported_once_without_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm() as crm:
        crm.faults.append(lambda _: json_response({"message": "Invalid key"}, 401))
        code, output, _ = check(capsys)
    assert code == 1
    assert output.count("Invalid key") == 1
    assert "A full read" not in output
    assert output.splitlines()[-1] == "Cannot be read completely: all"
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.slow
def test_the_findings_come_as_json_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    with configured_crm(lists=lists(120)) as crm:
        crm.faults.append(always("contacts", lambda: json_response({}, 404)))
        code, output, _ = check(capsys, "--json")
    findings = json.loads(output)
    assert (code, findings["unreadable"]) == (1, ["contacts"])
    by_list = {each["resource"]: each for each in findings["lists"]}
    assert {name: each["status"] for name, each in by_list.items()} == dict.fromkeys(ENDPOINTS, 200) | {"contacts": 404}
    assert by_list["accounts"]["full"].items() >= {"requests": 3, "bound": "about"}.items()
    assert by_list["contacts"]["full"] is None
    assert by_list["open_tasks"]["other_types"] == {"due_date": "70 x a string, not timestamp"}
    assert findings["schedules"]["fit"] is None
    assert findings["problems"][0]["resource"] == "contacts"


@pytest.mark.slow
def test_sandbox_is_checked_without_settings(capsys: pytest.CaptureFixture[str]) -> None:
    code, output, _ = check(capsys)
    assert code == 0
    assert output.startswith("CRM: the bundled sandbox\nNo CRM is configured: set SOURCES__CRM__BASE_URL")


def test_wrong_settings_end_it_before_any_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    code, output, errors = check(capsys)
    assert (code, output) == (1, "")
    assert "SOURCES__CRM__BASE_URL" in errors


def test_nothing_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_dir: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    written: list[str] = []

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if recording and event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            written.append(str(arguments[0]))

    recording = True
    sys.addaudithook(watch)
    with configured_crm(lists=lists(2)):
        assert check(capsys)[0] == 0
    recording = False
    assert written == []
    assert list(tmp_path.iterdir()) == []
    assert not data_dir.exists()
