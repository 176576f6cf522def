"""Missing, wrong and unknown settings are reported before any request."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from dagster import build_init_resource_context
from pydantic import SecretStr

from crm_assets.api import ENDPOINTS
from crm_assets.connection import CrmConnection
from crm_assets.errors import SettingsError
from crm_assets.settings import find, resolve_settings, setting_at_load
from crm_assets.settings.finding import checked
from crm_assets_tests.scripted_crm import KEY, ScriptedCrm, configured_crm, tasks
from crm_assets_tests.source.source_reads import read

PREFIX = "SOURCES__CRM__"


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    with configured_crm(lists={"open_tasks": tasks(60)}) as crm:
        yield crm


def error() -> str:
    """What is wrong with the settings."""
    with pytest.raises(SettingsError) as raised:
        resolve_settings()
    return str(raised.value)


@pytest.mark.parametrize("missing", ["BASE_URL", "API_KEY"])
@pytest.mark.parametrize("value", [None, ""], ids=["not-set", "empty"])
@pytest.mark.usefixtures("a_crm")
def test_one_without_the_other_is_an_error(missing: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PREFIX + missing)
    if value is not None:
        monkeypatch.setenv(PREFIX + missing, value)
    assert re.search(rf"{PREFIX}{missing}\b.* is missing", error())


WRONG = {
    "BASE_URL": (
        *("example.com", "ftp://example.com", "https://", "https://user:password@example.com", "https://exa mple.com"),
        *("https://example.com?page=1", "https://example.com#top", "https://example.com:99999", "https://[::1"),
        "http://example.com",
    ),
    "API_KEY": ("two\nlines", "ключ", "  "),
    "API_KEY_NAME": ("not a header", "näme", "a:b"),
    "ALLOW_HTTP": ("perhaps",),
    "PER_PAGE": ("0", "101", "1.5"),
    "MAX_IN_FLIGHT": ("65",),
    "REQUESTS_PER_MINUTE": ("0",),
    "REQUEST_MAX_ATTEMPTS": ("11",),
    "REQUEST_BACKOFF_FACTOR": ("-1", "nan"),
    "REQUEST_TIMEOUT": ("0",),
    "INCREMENTAL_LAG": ("-1",),
    "ASSET_RETRY_DELAY": ("-1",),
    "PERSONAL_DATA_KEY": ("1", "a-key-with-31-characters-in-it.", "k" * 40, "1234567" * 5),
    "ENDPOINTS": (
        *("not json", "[]", '{"accounts":' * 9999 + "1" + "}" * 9999, '"accounts"', '{"accounts": "/v1/accounts"}'),
        *('{"leads": {"path": "/v1/leads"}}', '{"accounts": {"path": ""}}', '{"accounts": {"url": "/v1/accounts"}}'),
        *('{"accounts": {"params": {"page": 2}}}', '{"accounts": {"params": {"per_page": 10}}}'),
        '{"accounts": {"params": {"filter": ["a"]}}}',
        # Another host would get the key.
        '{"accounts": {"path": "https://127.0.0.1:9/v1/accounts"}}',
        '{"accounts": {"path": "//127.0.0.1:9/v1/accounts"}}',
    ),
    "ENDPOINTS__ACCOUNTS": ("/v1/accounts",),
    "ENDPOINTS__ACCOUNTS__PARAMS": ('{"filter":',),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [pytest.param(name, value, id=f"{name}={value!r:.60}") for name, values in WRONG.items() for value in values],
)
@pytest.mark.usefixtures("a_crm")
def test_a_wrong_value_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    message = error()
    assert PREFIX + name.partition("__")[0] in message
    assert "key-of-a-crm" not in message
    assert not name.endswith("KEY") or len(value.strip()) < 2 or value not in message
    assert "user:password" not in message


@pytest.mark.parametrize("name", ["PAGE_SIZE", "APIKEY", "per_pages"])
def test_an_unknown_setting_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PREFIX + name, "1")
    assert re.search(f"(?i)unknown .*{PREFIX}{name}", error())


@pytest.mark.parametrize("text", ["city, zip code", '["city", "zip code"]'], ids=["commas", "JSON"])
def test_names_are_separated_by_commas_or_in_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_ALLOWED", text)
    assert resolve_settings().personal_data_allowed == ("city", "zip code")


@pytest.mark.parametrize("name", ["CRM_FOO", "CRM_HOME", "CRM_TZ"])
def test_name_that_is_similar_to_none_gets_no_suggestion(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    assert find().unknown == [f"Unknown setting {name} in the environment. `crm-assets settings` lists all"]


@pytest.mark.parametrize(
    "name", ["SOURCES__CRM_BASE_URL", "SOURCES_CRM__BASE_URL", "sources_crm_base_url", "SOURCE__CRM__BASE_URL"]
)
def test_a_name_with_a_misspelt_beginning_is_unknown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "https://crm.example")
    [sentence] = find().unknown
    assert sentence.startswith(f"Unknown setting {name.upper()} in")
    assert sentence.endswith("Did you mean SOURCES__CRM__BASE_URL?")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("SOURCES__CRM__PER_PAGE", " 7 ", 7),
        ("SOURCES__CRM__ALLOW_HTTP", "true", True),
        ("SOURCES__CRM__REQUEST_BACKOFF_FACTOR", "0", 0),
        ("SOURCES__CRM__REQUEST_BACKOFF_FACTOR", "0.5", 0.5),
        ("SOURCES__CRM__PERSONAL_DATA_KEY", "12345678" * 4, SecretStr("12345678" * 4)),
        ("SOURCES__CRM__ENDPOINTS", "{}", {}),
        ("SOURCES__CRM__ENDPOINTS", "", {}),
        ("CRM_FISCAL_YEAR_START", "", 1),
        ("CRM_FISCAL_YEAR_START", "4", 4),
        ("CRM_FISCAL_YEAR_START", " 12 ", 12),
        ("CRM_FISCAL_YEAR_START", "april", 4),
        ("CRM_FISCAL_YEAR_START", "OCTOBER", 10),
        ("CRM_CURRENCY", "", None),
        ("CRM_CURRENCY", "EUR", "EUR"),
        ("CRM_CURRENCY", " chf ", "CHF"),
    ],
)
@pytest.mark.usefixtures("a_crm")
def test_a_right_value_is_taken(name: str, value: str, taken: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(resolve_settings(), name.removeprefix(PREFIX).removeprefix("CRM_").lower()) == taken


@pytest.mark.parametrize(
    "variables",
    [
        {"API_KEY": KEY},
        {"API_KEY": "the key of something else", "SOURCES__CRM__API_KEY": KEY},
        {"SOURCES__CRM__API_KEY": f"{KEY}\r\n"},
    ],
    ids=["plain-name", "both-names", "line-end"],
)
def test_key_is_sent(crm: ScriptedCrm, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCES__CRM__API_KEY")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read().ids == list(range(1, 61))
    assert {seen.headers["api_key"] for seen in crm.seen} == {KEY}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("Authorization", "Token token=KEY"),
        ("Authorization", "Bearer 123"),
        ("X-Api-Key", "12345678"),
        ("api_key", "0012"),
        ("api_key", "true"),
        ("api_key", '{"a": 1}'),
        ("api_key", "a%20b${HOME}#c"),
    ],
)
def test_header_and_key_are_sent_as_they_are(
    crm: ScriptedCrm, header: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    crm.credentials = (header, value)
    monkeypatch.setenv("SOURCES__CRM__API_KEY_NAME", header)
    monkeypatch.setenv("SOURCES__CRM__API_KEY", value)
    assert read().ids == list(range(1, 61))
    assert {seen.headers[header.lower()] for seen in crm.seen} == {value}


def test_path_and_parameters_of_a_resource_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = {"open_tasks": "/crm/sales/tasks/view/4000123"}
    endpoints: dict[str, Any] = {
        "open_tasks": {
            "path": "/tasks/view/4000123",
            "params": {"filter": "open", "deep": True, "level": 2, "q": "a b&c"},
        }
    }
    with configured_crm(lists={"open_tasks": tasks(120), "accounts": [{"id": 1}]}, paths=paths) as crm:
        monkeypatch.setenv("SOURCES__CRM__BASE_URL", f"{crm.base_url}/crm/sales/")
        monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", json.dumps(endpoints))
        assert read().ids == list(range(1, 121))
    assert sorted(crm.pages("open_tasks")) == [1, 2, 3]
    for seen in crm.seen:
        assert (seen.params["filter"], seen.params["level"], seen.params["q"]) == ("open", "2", "a b&c")
        assert seen.params["deep"] == "true"


@pytest.mark.slow
@pytest.mark.parametrize("value", ['{"status": "open"}', "{id}", "{{id}}", "}"])
def test_braces_in_path_and_parameters_are_sent_as_they_are(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "/v1/tasks/{open}"  # for the scripted CRM any name, in place of which these braces come
    with configured_crm(lists={"open_tasks": tasks(1)}, paths={"open_tasks": path}) as crm:
        endpoint = {"path": path, "params": {"filter": value, "{a}": "b"}}
        monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", json.dumps({"open_tasks": endpoint}))
        assert read().ids == [1]
    assert {(seen.params["filter"], seen.params["{a}"]) for seen in crm.seen} == {(value, "b")}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPEN_TASKS__PARAMS", '{"filter": "open", "deep": true}'),
        ("OPEN_TASKS", '{"params": {"filter": "open", "deep": true}}'),
    ],
)
def test_parameters_may_be_json(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SOURCES__CRM__ENDPOINTS__{name}", value)
    settings = resolve_settings()
    assert settings.endpoint("open_tasks").params == {"filter": "open", "deep": True}
    assert (settings.path("accounts"), settings.endpoint("accounts").params) == (ENDPOINTS["accounts"].path, {})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        *(
            ({"CRM_FISCAL_YEAR_START": value}, "FISCAL_YEAR_START.*give 1 to 12, or a name")
            for value in ("0", "13", "Q2", "1.5")
        ),
        *(({"CRM_CURRENCY": value}, "CURRENCY.*not allowed: give an ISO 4217 code") for value in ("Euro", "€", "E R")),
        *(
            ({"CRM_REPORTING_TIMEZONE": value}, "REPORTING_TIMEZONE.*not allowed: give an IANA name")
            for value in ("localtime", "Factory", "posixrules", "europe/berlin", "Europe", "../UTC")
        ),
        *(
            ({"CRM_KEEP_LOG_DAYS": value}, f"KEEP_LOG_DAYS.*not allowed: give {words}0 to 36500\\.")
            for value, words in (("-1", ""), ("x", "a whole number, "), ("1.5", "a whole number, "))
        ),
        ({"SOURCES__CRM__PERSONAL_DATA": "drop"}, "not allowed: give keep, leave_out or hash"),
        ({"SOURCES__CRM__REQUEST_TIMEOUT": "0"}, "not allowed: give more than 0 to 600, fractions too"),
        ({"SOURCES__CRM__ENDPOINTS__CONTACTS__PTH": "/x"}, "at contacts.pth, .*is unknown: give any of path, params,"),
        ({"SOURCES__CRM__PERSONAL_DATA_ALLOWED": '["city'}, "is not JSON"),
        ({"SOURCES__CRM__ENDPOINTS__CONTACTS__CADENCE_MINUTES": "x"}, "at contacts.cadence_.*: give a whole number"),
        (
            {"SOURCES__CRM__ENDPOINTS": '{"contacts": {"params": {"a": [1]}}}'},
            "^[^\n]*, at contacts.params.a, in the environment: give a table whose values are texts, [^\n]*$",
        ),
        ({"CRM_WAREHOUSE": "postgres:dbname=lake password=hush"}, "not a path and does not begin with ducklake:"),
        ({"CRM_WAREHOUSE": "ducklake:mysql:password=hush", "CRM_WAREHOUSE_FILES": "/files"}, "not in PostgreSQL"),
        ({"CRM_WAREHOUSE": "ducklake:", "CRM_WAREHOUSE_FILES": "/files"}, "not in PostgreSQL"),
        ({"CRM_WAREHOUSE": "ducklake:postgres:password=hush"}, "CRM_WAREHOUSE_FILES is missing"),
        ({"CRM_WAREHOUSE_FILES": "s3://"}, "neither a folder nor an address"),
        ({"CRM_WAREHOUSE_FILES": "s3:/bucket/crm"}, "neither a folder nor an address"),
        ({"CRM_WAREHOUSE_FILES": "gs://bucket/crm"}, "neither a folder nor an address in S3"),
        ({"CRM_WAREHOUSE_FILES": "S3://bucket/crm"}, "neither a folder nor an address in S3"),
    ],
)
def test_a_wrong_value_is_explained(settings: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    message = error()
    assert re.search(words, message)
    assert "hush" not in message


@pytest.mark.parametrize("name", ["CRM_UI_URL", "CRM_REPORTS_URL", "CRM_REPOSITORY_URL"])
def test_wrong_address_of_a_link_fails_no_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "dagster.example")
    assert resolve_settings().is_sandbox
    [message] = checked(find())[1]
    assert name in message
    monkeypatch.setenv(name, right := "https://dagster.example/crm")
    assert getattr(resolve_settings(), name.removeprefix("CRM_").lower()) == right


@pytest.mark.parametrize("name", ["CRM_SCHEDULE_TIMEZONE", "CRM_EXECUTOR", "CRM_DIGEST", "CRM_KEEP_RUNS_DAYS"])
def test_wrong_setting_fails_no_run_that_does_not_need_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value := "Nowhere/Bad")
    assert resolve_settings().is_sandbox
    messages: list[str] = []
    setting_at_load(name.removeprefix("CRM_").lower(), messages.append)
    assert name in messages[0]
    assert value in messages[0]


@pytest.mark.parametrize("name", ["CRM_CURRENCY", "CRM_REPORTING_TIMEZONE", "CRM_FISCAL_YEAR_START"])
def test_wrong_setting_of_models_or_the_report_fails_no_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    with CrmConnection().yield_for_execution(build_init_resource_context()) as connection:
        assert connection.settings().per_page
    with pytest.raises(SettingsError, match=name):
        resolve_settings()
