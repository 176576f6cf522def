"""The command line of the package: each command is found and explained, and ends with a sentence if it cannot go on."""

import json
import os
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

from crm_assets.__main__ import COMMANDS, main
from crm_assets.warehouse.warehouse import Warehouse


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_explains_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    module = import_module(f"crm_assets.commands.{name.replace('-', '_')}")
    first_line = (module.__doc__ or "").splitlines()[0].rstrip(".")
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{name} {first_line}" in shown


def test_an_unknown_command_is_refused_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tabels"])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in ("tabels", *COMMANDS))


@pytest.mark.parametrize("arguments", [[], ["tables"]], ids=["none", "by-name"])
def test_tables_is_the_command_when_none_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments]) == 1
    output = capsys.readouterr()
    assert "sandbox.duckdb does not exist yet" in output.err
    assert len(output.err.splitlines()) == 1
    assert output.out == ""


def test_tables_names_a_view_that_reads_a_missing_table(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse().get_connection() as connection:
        connection.execute(
            "create schema marts; create table marts.a as select 1 as x; create table marts.gone (x int)"
        )
        connection.execute("create view marts.b as from marts.gone; drop table marts.gone")
    assert main(["tables"]) == 0
    assert "marts.b     broken\n" in capsys.readouterr().out
    assert main(["tables", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == {"marts.a": 1, "marts.b": None}


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"crm-assets {version('crm_assets')}\n"


def test_ascii_terminal_shows_what_it_can() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "CRM_DATA_DIR": "/größe"}
    command = [sys.executable, "-m", "crm_assets", "tables"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert "/gr??e/sandbox.duckdb does not exist yet" in done.stderr
