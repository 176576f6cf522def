"""Runs leave no secret: in what they show, in the database, in Dagster's files and command lines."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from dagster import DagsterInstance
from starlette.responses import Response

from crm_assets import masking
from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import materialize, rows
from crm_assets_tests.data_dirs import connected
from crm_assets_tests.scripted_crm import KEY, always, configured_crm, json_response, tasks
from crm_assets_tests.test_secrets import ENVIRONMENT, SECRET

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Other tests mask nothing of these."""
    yield
    masking._known.clear()


LONG_HOST = f"https://{'x' * 85}.{KEY}.host/"

ANSWERS = {
    "a message that repeats the key": lambda: json_response({"message": f"Incorrect key: {KEY}"}, 401),
    "a redirect with the key": lambda: Response("", 302, headers={"Location": f"https://x:{KEY}@host/?k={KEY}"}),
    "a redirect whose host is cut within the key": lambda: Response("", 302, headers={"Location": LONG_HOST}),
    "the key as a key of the body": lambda: json_response({KEY: 1}),
    "the key as a type of content": lambda: Response("<html>", 200, media_type=f"text/{KEY}"),
    "a message that is cut within the key": lambda: json_response({"message": f"{'x' * 290}{KEY}"}, 422),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_repeats_the_key_does_not_show_it(answer: str) -> None:
    with configured_crm() as crm:
        crm.faults.append(always("open_tasks", ANSWERS[answer]))
        run = materialize("open_tasks")
    assert not run.success
    assert KEY[:8] not in run.everything_shown


def test_secret_parameters_are_not_stored_nor_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    params = {"auth": SECRET, "filter": "open"}
    with configured_crm(lists={"open_tasks": tasks(3)}):
        monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", json.dumps({"open_tasks": {"params": params}}))
        assert materialize("open_tasks").success
        with connected(read_only=False) as connection:
            connection.execute("update raw.sync_details set params = ?", [json.dumps(params, sort_keys=True)])
        assert materialize("open_tasks").success
    stored = rows("select params::varchar from raw.sync_details")
    assert len(stored) == 2
    assert len(set(stored)) == 1
    assert SECRET not in str(stored)
    assert json.loads(stored[0][0])["filter"] == "open"


def test_token_in_the_base_url_is_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    token, other = "hook4711hook4711hook", "hook4712hook4712hook"
    paths = {"open_tasks": f"/{token}{ENDPOINTS['open_tasks'].path}"}
    addresses = "select distinct base_url from raw.sync_details"
    with configured_crm(lists={"open_tasks": tasks(3)}, paths=paths) as crm, monkeypatch.context() as with_token:
        with_token.setenv("SOURCES__CRM__BASE_URL", f"{crm.base_url}/{token}")
        assert materialize("open_tasks").success
        [(stored,)] = rows(addresses)
        assert token not in stored
        with connected(read_only=False) as connection:  # as an earlier release
            connection.execute("update raw.sync_details set base_url = ?", [f"{crm.base_url}/{token}"])
        assert materialize("open_tasks").success
        assert rows(addresses) == [(stored,)]
        with_token.setenv("SOURCES__CRM__BASE_URL", f"{crm.base_url}/{other}")
        refused = materialize("open_tasks").failure("open_tasks")
    assert refused.count(f"{crm.base_url}/*** sha256:") == 2


def test_metadata_of_a_run_that_succeeds_are_masked() -> None:
    masking.know("a test", ["raw.accounts", "unique"])  # as if they were passwords: all metadata have these
    with configured_crm(lists={"accounts": tasks(3)}):
        run = materialize("accounts")
    metadata = run.metadata("accounts")
    assert metadata["dagster/table_name"] == "***"
    assert "***" in metadata["crm/rows"]
    assert "3 rows, each with a *** id" in run.everything_shown


def test_key_that_the_api_sends_as_a_field_is_masked() -> None:
    masking.know("a test", ["hush4711hush"])
    with configured_crm(lists={"open_tasks": [{"id": 1, "hush4711hush": 1}]}):
        shown = repr(materialize("open_tasks").result.all_events)
        with DagsterInstance.ephemeral() as instance:
            shown += repr(defs.resolve_job_def("crm_check").execute_in_process(instance=instance).all_events)
    assert "TableColumn(name='***'" in shown
    assert "hush" not in shown


def test_a_run_leaves_no_secret_anywhere(tmp_path: Path) -> None:
    """In the output, Dagster's event log and compute logs, the database, and the command lines of all processes."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with configured_crm(lists={"open_tasks": tasks(3)}) as crm:
        crm.faults.append(always("contacts", ANSWERS["a message that repeats the key"]))
        environment = os.environ | crm.settings() | ENVIRONMENT | {"DAGSTER_HOME": str(home), "CRM_NOTIFY": ""}
        environment["RUNTIME__LOG_LEVEL"] = "DEBUG"
        command = [str(Path(sys.executable).with_name("dagster")), "asset", "materialize"]
        options = ["-m", "crm_assets.definitions", "--select", "key:raw/open_tasks or key:raw/contacts"]
        with subprocess.Popen(
            [*command, *options], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            command_lines = b""
            while process.poll() is None:
                command_lines += b"".join(_command_lines())
                time.sleep(0.2)
            assert process.stdout is not None
            output = process.stdout.read()
    assert process.returncode != 0
    assert b"contacts, page 1: status 401, 'Incorrect key: ***'" in output
    texts = {"the output": output, "command lines": command_lines}
    texts |= {
        str(file): file.read_bytes() for folder in (home, tmp_path) for file in folder.rglob("*") if file.is_file()
    }
    for place, content in texts.items():
        for secret in (KEY, SECRET, quote(SECRET, safe=""), json.dumps(SECRET)[1:-1]):
            assert secret.encode() not in content, place


def _command_lines() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield process.read_bytes()
        except OSError:  # it has ended
            continue
