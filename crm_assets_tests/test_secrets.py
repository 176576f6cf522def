"""Secrets appear in no text: addresses are rebuilt from what may be shown, all other text is masked."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from psycopg.conninfo import make_conninfo

from crm_assets import masking
from crm_assets.alerts.outcomes import Kind, Outcome, Problem
from crm_assets.alerts.reporting import LONGEST, Incidents
from crm_assets.alerts.sending import Message, send
from crm_assets.assets.raw import refuse_another_crm
from crm_assets.console import ConsoleHandler
from crm_assets.errors import CrmAssetsError
from crm_assets.masking import masked
from crm_assets.settings import DEFAULT_CRM, resolve_settings, secrets
from crm_assets.settings.finding import checked, find
from crm_assets.source.http.answers import Answer, status_error
from crm_assets_tests.models.raw_tables import RawTables
from crm_assets_tests.scripted_crm import KEY, configured_crm
from crm_assets_tests.warehouse.statements import probe

PASSWORDS = (
    *("Ab&rest", "Ab;rest", "it's quoted", 'dou"ble', "back\\slash", "sl/ash", "per%cent", "at@sign", "co:lon"),
    *("ha#sh", "ques?mark47", "pl+us", "pg$ecret#1", "eq=uals", "two words", "ümlaut", "com,ma", "br{ac}e", "st*ar"),
    *("12/all@rest", "`tick`", "<angle>", "%2Fcode"),
)

SPELLINGS = {
    "quoted as PostgreSQL wants it": lambda p: make_conninfo(dbname="lake", host="127.0.0.1", port=1, password=p),
    "as it is": lambda p: f"dbname=lake host=127.0.0.1 port=1 password={p}",
    "before another": lambda p: make_conninfo(dbname="lake", host="127.0.0.1", port=1, password=p) + " password=last",
    "misspelt": lambda p: f"dbname=lake passwrod={p} host=127.0.0.1 port=1",
    "in a URL, encoded": lambda p: f"postgresql://me:{quote(p, safe='')}@127.0.0.1:1/lake",
    "in a URL, as it is": lambda p: f"postgresql://me:{p}@127.0.0.1:1/lake",
    "a parameter of a URL": lambda p: f"postgresql://127.0.0.1:1/lake?password={quote(p, safe='')}",
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Other tests mask nothing of these."""
    yield
    masking._known.clear()


def parts_of(password: str) -> set[str]:
    """A password, and each piece of it that a parser could leave over."""
    pieces = {piece for sign in "&;'\"\\/@:#?+$=, {}*" for piece in password.split(sign)[1:] if len(piece) > 2}
    return {password, quote(password, safe=""), *pieces} - {"rest"}


@pytest.mark.slow
@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_no_message_about_a_lake_has_its_password(
    password: str, spelling: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRM_WAREHOUSE", f"ducklake:postgres:{SPELLINGS[spelling](password)}")
    monkeypatch.setenv("CRM_WAREHOUSE_FILES", str(tmp_path))
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    with pytest.raises(CrmAssetsError) as raised:
        probe()
    for part in parts_of(password):
        assert part not in str(raised.value)


@pytest.mark.parametrize("value", ["true", "False", "none", "null", "2000"])
def test_value_of_a_switch_or_a_figure_is_no_secret(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MYSQL_ALLOW_EMPTY_PASSWORD", value)
    resolve_settings()
    assert masked(f'"fit": {value},') == f'"fit": {value},'


def test_a_log_record_of_any_library_is_masked(caplog: pytest.LogCaptureFixture) -> None:
    masking.know("a test", ["hush-hush"])
    masking.mask_log_records()
    logging.getLogger("some.library").warning("Could not use %s", "https://x:hush-hush@host")
    assert "hush" not in caplog.text
    assert "Could not use https://x:***@host" in caplog.text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            "ducklake:postgres:dbname=lake host=db user=me password=hush",
            "ducklake:postgres:host=db dbname=lake user=me",
        ),
        (
            "ducklake:postgres:postgresql://me:hush@db:5433/lake",
            "ducklake:postgres:host=db port=5433 dbname=lake user=me",
        ),
        ("md:crm?motherduck_token=hush", "md:crm"),
        ("/data/env=prod/100%/a?b.duckdb", "/data/env=prod/100%/a?b.duckdb"),
        ("s3://hush:hush@bucket/crm?s3_secret_access_key=hush", "s3://bucket/crm"),
        ("s3://bucket/crm", "s3://bucket/crm"),
    ],
)
def test_what_is_shown_of_an_address(given: str, shown: str) -> None:
    assert secrets.warehouse(given).shown == shown


SECRET = "Hush4711/x&y"  # noqa: S105

ENVIRONMENT = {
    "SOURCES__CRM__ENDPOINTS": json.dumps(
        {
            "accounts": {"path": f"/v1/accounts?apikey={quote(SECRET)}", "params": {"auth": SECRET, "sig": SECRET}},
            "contacts": {"params": {"pwd": SECRET, "jwt": SECRET, "anything": SECRET}},
        }
    ),
    "CRM_UI_URL": f"https://me:{quote(SECRET, safe='')}@ui.example/dagster?token={quote(SECRET, safe='')}",
    "CRM_NOTIFY": f"mailto://me:{quote(SECRET, safe='')}@mail.example",
    "HTTPS_PROXY": f"http://me:{quote(SECRET, safe='')}@proxy.example:3128",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "MOTHERDUCK_TOKEN": SECRET,
}


def test_settings_show_no_value_of_a_parameter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crm_assets.__main__ import main

    with configured_crm():
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        main(["settings"])
    output = capsys.readouterr()
    assert "Hush4711" not in output.out + output.err
    assert "https://ui.example/dagster" in output.out
    assert '"auth": "***"' in output.out
    assert KEY not in output.out


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCES__CRM__API_KEY_NAME", "Authorization: Token hush"),
        ("CRM_UI_URL", "ftp://me:hush@ui.example"),
        ("CRM_REPORTS_URL", "ftp://me:hush@ui.example"),
        ("CRM_REPOSITORY_URL", "https://me:hush@git.example/crm"),
        ("CRM_REPOSITORY_URL", "ftp://me:hush@git.example/crm"),
        ("CRM_WAREHOUSE", "dbname=lake password=hush"),
        ("CRM_WAREHOUSE", "ducklake:dbname=lake password=hush"),
        ("CRM_WAREHOUSE", "ducklake: postgres:dbname=lake password=hush"),
        ("CRM_WAREHOUSE", "postgresql://me:hush@db/lake"),
        ("SOURCES__CRM__BASE_URL", "https://me:hush@crm.example"),
        ("SOURCES__CRM__BASE_URL", "https://crm.example?token=hush"),
    ],
)
def test_wrong_setting_is_named_without_its_value(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    [message] = checked(find())[1]
    assert name in message
    assert "hush" not in message


def test_token_in_the_wrong_setting_is_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crm_assets.__main__ import main

    monkeypatch.setenv("CRM_DATA_DIR", "md:crm?motherduck_token=hush-hush")
    monkeypatch.setenv("CRM_EXECUTOR", "https://me:hush-hush@host.example")
    main(["settings"])
    assert "hush" not in capsys.readouterr().out


@pytest.mark.parametrize("key", ["abcd-efgh-4711", "ab47"])
def test_the_part_of_a_header_that_is_the_key_is_masked(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__API_KEY", f"Token token={key}")
    find(DEFAULT_CRM)
    assert masked(f"Incorrect key: {key}") == "Incorrect key: ***"


HEADERS = ['Token token="ab47"', "Basic bWU6YWI0Nw==", "Basic bWU6YWI0Nw", " Basic  bWU6YWI0Nw=="]


@pytest.mark.parametrize("header", HEADERS)
def test_short_key_in_a_header_is_masked(header: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__API_KEY", header)
    find(DEFAULT_CRM)
    assert masked("Incorrect key: ab47") == "Incorrect key: ***"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SOURCES__CRM__ENDPOINTS", json.dumps({"contacts": json.dumps({"params": {"token": "hush-hush"}})})),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS", json.dumps({"params": {"token": "hush-hush"}})),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS", json.dumps({"params": json.dumps({"token": "hush-hush"})})),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS__PARAMS", json.dumps({"token": "hush-hush"})),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS__PARAMS__TOKEN", "hush-hush"),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS__PATH", "/v1/contacts;token=hush-hush?page_of=1"),
    ],
)
def test_secret_of_an_endpoint_is_masked(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    resolve_settings()
    assert masked("Unknown token hush-hush") == "Unknown token ***"


def test_former_token_in_an_address_is_not_shown() -> None:
    with duckdb.connect() as connection:
        RawTables(connection)
        insert = "insert into raw.sync_details values ('contacts', ?, '', '{}', '', 'load_1', null)"
        connection.execute(insert, ["https://crm.example/hooks/4711abcdefhush4711"])
        with pytest.raises(CrmAssetsError) as raised:
            refuse_another_crm(connection, DEFAULT_CRM, "crm.duckdb", "https://crm.example/hooks/new")
    assert "holds the records of https://crm.example/hooks/*** sha256:" in str(raised.value)


def test_a_line_of_the_terminal_is_masked() -> None:
    masking.know("a test", [SECRET])
    record = logging.LogRecord("", logging.ERROR, "", 1, "", (), None)
    record.dagster_meta = {"dagster_event": None, "orig_message": f"Failed: {SECRET}"}
    assert ConsoleHandler().format(record).endswith("Failed: ***")


def test_an_alert_is_masked() -> None:
    masking.know("a test", [SECRET])
    logged: list[str] = []
    assert send(Message("failure", f"problem {SECRET}", f"body {SECRET}"), "", logged.append)
    assert not send(Message("failure", "problem", "body"), SECRET, logged.append)
    assert SECRET not in "\n".join(logged)


def test_key_in_the_host_of_a_redirect_is_masked() -> None:
    masking.know("a test", [SECRET.partition("/")[0]])
    error = status_error("tasks", Answer(302, {"Location": "https://Hush4711.example/"}, b""), show_message=True)
    assert "hush" not in str(error).lower()


@pytest.mark.parametrize("address", ["sendgrid://{}:me@example.com/you@example.com", "hassio://host.example/{}"])
def test_token_with_dots_in_an_address_is_masked(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = "SG.abcdefgh1.ijklmnop2"  # noqa: S105
    monkeypatch.setenv("CRM_NOTIFY", address.format(token))
    resolve_settings()
    assert masked(f"host.example refuses {token}") == "host.example refuses ***"


WORDS = "POST to localhost or alerting at example.com: text of warehouse and alerts"


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("json://localhost/alerts?method=post&format=text", "json://localhost/alerts?method=post&format=text"),
        ("mailto://alerting:hush-hush@example.com/alerts", "hush-hush"),
        ("json://localhost/alerts?pass=hushing", "hushing"),
        ("slack://localhost/AHUSH4711/alerts", "AHUSH4711"),
    ],
)
def test_words_in_an_address_are_no_secrets(address: str, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_NOTIFY", address)
    resolve_settings()
    assert masked(f"{WORDS}: {secret}") == f"{WORDS}: ***"


def test_alert_that_is_cut_within_a_secret_is_masked() -> None:
    masking.know("a test", [SECRET])
    incidents, sent = Incidents(), list[Message]()
    incidents.settle(Outcome([Problem(Kind.run, "job", "", "x" * (LONGEST - 5) + SECRET, "")], ()))
    incidents.report(lambda message: not sent.append(message))  # type: ignore[func-returns-value]
    assert SECRET[:3] not in sent[0].body
