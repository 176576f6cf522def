"""Commands in the documentation work as they are written, in a clone after `make demo`."""

import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_assets_tests.clones import PROJECT, copy_of_the_project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN_ELSEWHERE = {
    "docs/adding_a_resource.md": "test_adding_a_resource.py",
    "docs/backup.md": "test_backup.py",
    "docs/deployment.md": "deployment/",
    "docs/lake.md": "test_lake_documentation.py",
}
"""Page -> the tests that run its commands."""

NOT_RUN = {
    r"make dev|dagster dev|\S+/dagster-(daemon|webserver) |python3 -m http": "serves until stopped; browser/ does that",
    r"make (test|lint)|git pull": "is about the checkout in which the tests run",
    r".*\bpip install|make test-(latest|duckdb)": "needs a network",
    r".*\bdbt build": "needs dbt; make test-dbt runs it",
    r"export SOURCES__|.*--crm north|.*accept-address": "needs a CRM other than the sandbox",
    r"dg scaffold": "is for another project; test_other_project.py does that",
}
"""The beginning of commands that are not run -> why."""


def commands(block: str) -> Iterator[str]:
    """The commands of a console block, some of several lines."""
    command = ""
    for line in block.splitlines():
        command += line
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # a quotation goes on
            command += "\n"
            continue
        if words:
            yield command.strip()
        command = ""


BLOCKS = {
    f"{page.relative_to(PROJECT)}:{number}": [*commands(block)]
    for page in (PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted(PROJECT.glob("docs/*.md")))
    if str(page.relative_to(PROJECT)) not in RUN_ELSEWHERE
    for number, block in enumerate(
        re.findall(r"^ *```console\n(.*?)^ *```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    )
}
"""Page and number of a block -> its commands."""


def is_run(command: str) -> bool:
    """Whether a block's test runs a command: `make demo` has been run before."""
    return command != "make demo" and not any(re.match(start, command) for start in NOT_RUN)


RUN = {block: kept for block, found in BLOCKS.items() if (kept := [command for command in found if is_run(command)])}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which `make demo` has been run, with the files that pages about adding something show."""
    folder = copy_of_the_project(tmp_path_factory.mktemp("clone"))
    (folder / "bin").mkdir()
    make = folder / "bin" / "make"
    # Packages are installed already.
    make.write_text('#!/bin/sh\nexec /usr/bin/make -o .venv/runtime -o .venv/dev "$@"\n', encoding="utf-8")
    make.chmod(0o755)
    done = run("make demo", folder)
    assert done.returncode == 0, done.stdout
    page = (PROJECT / "docs/adding_a_model.md").read_text("utf-8")
    for path, text in re.findall(r"`(crm_assets/\S+)`:\n\n```(?:yaml|sql)\n(.*?)```", page, re.DOTALL):
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def run(script: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a script in a terminal in which every question is answered with yes."""
    terminal, stdin = pty.openpty()
    os.write(terminal, b"y\n" * 10)
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    try:
        return subprocess.run(
            ["/bin/bash", "-e", "-c", script],
            cwd=folder,
            env={"PATH": path, "PYTHONPATH": str(folder), "HOME": str(folder / "bin"), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
            check=False,
        )
    finally:
        os.close(stdin)
        os.close(terminal)


@pytest.mark.long
@pytest.mark.parametrize("block", RUN)
def test_commands_of_a_block_succeed(block: str, clone: Path) -> None:
    done = run("\n".join(RUN[block]), clone)
    assert done.returncode == 0, done.stdout[-3000:]


def test_each_reason_not_to_run_a_command_has_a_command() -> None:
    every = [command for found in BLOCKS.values() for command in found]
    assert [start for start in NOT_RUN if not any(re.match(start, command) for command in every)] == []
    assert all((PROJECT / page).is_file() for page in RUN_ELSEWHERE)
