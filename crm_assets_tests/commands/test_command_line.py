"""The command line of the package: each command is found and explained, and ends with a sentence if it cannot go on."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version

import duckdb
import pytest

from crm_assets.__main__ import COMMANDS, main
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.processes import completed


def test_help_explains_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert [name for name in COMMANDS if not re.search(rf" {name} [A-Z]\w+ [a-z]", shown)] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "modules"), [("--version", []), ("settings", ["configuration"]), ("tables", ["stored"])]
)
def test_only_the_module_of_a_command_is_imported(name: str, modules: list[str]) -> None:
    code = f"import sys; from crm_assets.__main__ import main\ntry: main(['{name}'])\nfinally: print(*sys.modules)"
    done = completed([sys.executable, "-c", code])
    prefix = "crm_assets.commands."
    loaded = done.stdout.splitlines()[-1].split()
    assert [module.removeprefix(prefix) for module in loaded if module.startswith(prefix)] == modules
    assert "dlt" not in loaded


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("SOURCES__CRM__PERSONAL_DATA", "kept"), ("SOURCES__CRM__PERSONAL_DATA", "hash"), ("CRM_CURRENCY", "1")],
)
@pytest.mark.parametrize("command", ["tables", "publish", "build"])
def test_wrong_setting_fails_no_command_that_does_not_need_it(
    command: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Warehouse().get_connection() as connection:
        connection.execute("create schema seeds")
    monkeypatch.setenv(name, value)
    arguments = ["seeds.owner_targets"] if command == "build" else []
    assert main([command, *arguments]) == 0


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


def test_tables_of_other_schemas_follow_those_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse().get_connection() as connection:
        for schema in ("finance", "marts", "present", "raw"):
            connection.execute(f"create schema {schema}; create table {schema}.a as select 1 as x")
    assert main(["tables", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["tables"]) == ["raw.a", "marts.a", "finance.a"]


def test_tables_counts_the_rows_of_a_name_with_dots(capsys: pytest.CaptureFixture[str]) -> None:
    with Warehouse().get_connection() as connection:
        connection.execute('create schema marts; create table marts."a.b" as select 1 as x')
    assert main(["tables", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tables"] == {"marts.a.b": 1}


def test_closed_output_is_no_error() -> None:
    command = f"{sys.executable} -m crm_assets settings >&-"
    done = subprocess.run(["/bin/sh", "-c", command], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("folder", "message"), [("", "the name of the folder is empty"), ("s3://bucket/crm", "this is an address: name a")]
)
def test_name_of_no_folder_is_refused(folder: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["publish", "--parquet", folder])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("size", ["lots", "1MB", "99MiB", "4096KB"])
def test_value_of_another_form_is_refused_with_an_example(
    size: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM_MEMORY_LIMIT", size)
    assert main(["tables"]) == 1
    assert f"is {size!r}, which is not allowed: give a size such as 4GiB, at" in capsys.readouterr().err


def test_too_little_memory_is_said_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Warehouse().get_connection() as connection:
        connection.execute("create schema marts; create table marts.a as select range as x from range(100000)")
    monkeypatch.setenv("CRM_MEMORY_LIMIT", "0.000001GB")
    assert main(["tables"]) == 1
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.endswith("Raise CRM_MEMORY_LIMIT, or give the machine more memory")


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"crm-assets {version('crm_assets')}\n"


@pytest.mark.slow
def test_ascii_terminal_shows_what_it_can() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "CRM_DATA_DIR": "/größe"}
    command = [sys.executable, "-m", "crm_assets", "tables"]
    done = completed(command, env=environment)
    assert "/gr??e/sandbox.duckdb does not exist yet" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("buffering", ["", "1"], ids=["buffered", "unbuffered"])
def test_output_that_nobody_reads_is_no_error(buffering: str) -> None:
    environment = os.environ | {"PYTHONUNBUFFERED": buffering}
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "crm_assets", "settings"]
    done = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("as_duckdb", [False, True], ids=["", "within a statement"])
def test_interrupted_command_says_so_in_a_sentence(
    as_duckdb: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ends() -> None:
        if as_duckdb:
            raise RuntimeError("Query interrupted") from KeyboardInterrupt()
        raise KeyboardInterrupt

    monkeypatch.setattr("crm_assets.commands.stored.Warehouse", ends)
    assert main(["tables"]) == 130
    assert capsys.readouterr().err == "\nInterrupted. No table is left half written: run the command again\n"


def test_traceback_of_a_bug_has_no_value_of_a_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        duckdb.sql("select ('Jane' || ' Doe')::int").fetchall()

    monkeypatch.setattr("crm_assets.commands.stored.Warehouse", fails)
    assert main(["tables"]) == 1
    shown = capsys.readouterr().err
    assert "Could not convert string '…' to INT32" in shown
    assert "in fails" in shown
    assert "Jane Doe" not in shown
