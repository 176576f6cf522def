"""The command line of the package: each command is found and explained, and ends with a sentence if it cannot go on."""

import sys

import pytest

from crm_assets.__main__ import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_explains_every_command(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crm_assets", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    first_line = (COMMANDS[name].__doc__ or "").splitlines()[0].rstrip(".")
    told = " ".join(capsys.readouterr().out.split())
    assert f"{name} {first_line}" in told


def test_an_unknown_command_is_refused_with_those_that_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crm_assets", "tabels"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("tabels", *COMMANDS))


@pytest.mark.parametrize("arguments", [[], ["tables"]], ids=["none", "by-name"])
def test_tables_is_the_command_when_none_is_named(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["crm_assets", *arguments])
    assert main() == 1
    output = capsys.readouterr()
    assert "sandbox.duckdb does not exist yet" in output.err
    assert len(output.err.splitlines()) == 1
    assert output.out == ""
