"""Where settings are read: the working folder's files, the environment, the project's files. How they are written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from crm_assets.errors import SettingsError
from crm_assets.settings import resolve_settings, setting_at_load
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.finding import checked, find
from crm_assets.settings.names import setting_name
from crm_assets_tests.scripted_crm import KEY

PER_PAGE = "SOURCES__CRM__PER_PAGE"
TOML = "[sources.crm]\nper_page = {}\n"


@pytest.fixture
def working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder. The project's is beside it."""
    folder = tmp_path / "working"
    for name in ("working", "project"):
        (tmp_path / name / ".dlt").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path / "project"))
    return folder


def test_the_first_place_counts(working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = [
        (working / ".env", f"{PER_PAGE}=1"),
        (None, "2"),
        (working / ".dlt" / "secrets.toml", TOML.format(3)),
        (working / ".dlt" / "config.toml", TOML.format(4)),
        (working.parent / "project" / ".env", f"{PER_PAGE}=5"),
        (working.parent / "project" / ".dlt" / "secrets.toml", TOML.format(6)),
        (working.parent / "project" / ".dlt" / "config.toml", TOML.format(7)),
    ]
    for path, content in reversed(places):
        if path:
            path.write_text(content, encoding="utf-8")
        else:
            monkeypatch.setenv(PER_PAGE, content)
        assert resolve_settings().per_page == 8 - len(places) + places.index((path, content))


def test_nothing_is_put_into_the_environment(working: Path) -> None:
    (working / ".env").write_text(f"{PER_PAGE}=20\n", encoding="utf-8")
    before = dict(os.environ)
    assert resolve_settings().per_page == 20
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "line",
    [
        "SOURCES__CRM__API_KEY=a b",
        "export SOURCES__CRM__API_KEY=a b",
        "SOURCES__CRM__API_KEY = 'a b'",
        'SOURCES__CRM__API_KEY="a b"  # the key',
        "sources__crm__api_key=a b",
        "API_KEY=a b",
        "WORD=b\nSOURCES__CRM__API_KEY=a ${WORD}",
        "SOURCES__CRM__API_KEY=a b\r\nSOURCES__CRM__PER_PAGE=50\r",
    ],
    ids=["plain", "export", "single quotes", "double quotes", "small letters", "API_KEY", "reference", "line ends"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
def test_env_files_are_read_as_people_write_them(line: str, mark: bytes, working: Path) -> None:
    content = f"{line}\nSOURCES__CRM__BASE_URL=https://crm.example\n"
    (working / ".env").write_bytes(mark + content.encode())
    key = resolve_settings().api_key
    assert key is not None
    assert key.get_secret_value() == "a b"


def test_key_of_another_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    with pytest.raises(SettingsError, match="BASE_URL.* is missing, but SOURCES__CRM__API_KEY or API_KEY is set"):
        resolve_settings()


@pytest.fixture(params=["environment", "env file"])
def set_variables(
    request: pytest.FixtureRequest, working: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, str]], None]:
    """Sets variables, in the environment or in a `.env` file."""

    def in_environment(variables: dict[str, str]) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    def in_file(variables: dict[str, str]) -> None:
        lines = [f"{name}={value}" for name, value in variables.items()]
        (working / ".env").write_text("\n".join(lines), encoding="utf-8")

    return in_environment if request.param == "environment" else in_file


@pytest.mark.parametrize(
    "names",
    [
        ("no_proxy", "NO_PROXY"),
        ("HTTP_PROXY", "http_proxy", "Http_Proxy"),
        ("Other__Tool__Level", "OTHER__TOOL__LEVEL", "other__tool", "OTHER__TOOL", "other"),
        ("A__B", "a", "A", "a__b", "a__B__c", "A__B__C"),
        ("API_KEY__X", "api_key__x"),
        ("SOURCES", "sources", "Sources__Crm"),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_variables_of_others_change_no_setting(
    set_variables: Callable[[dict[str, str]], None], names: tuple[str, ...], order: int
) -> None:
    set_variables({name: f"value {number}" for number, name in enumerate(names[::order])} | {PER_PAGE: "7"})
    assert resolve_settings().per_page == 7


@pytest.mark.parametrize("order", [1, -1])
def test_setting_in_capitals_precedes_one_in_another_case(
    set_variables: Callable[[dict[str, str]], None], order: int
) -> None:
    variables = [
        (PER_PAGE, "7"),
        (PER_PAGE.lower(), "8"),
        ("Sources__Crm__Per_Page", "9"),
        ("CRM_REPORTING_TIMEZONE", "Asia/Tokyo"),
        ("crm_reporting_timezone", "Europe/Berlin"),
        ("SOURCES__CRM__ENDPOINTS__CONTACTS__PATH", "/people"),
        ("sources__crm__endpoints__contacts__path", "/other"),
        ("SOURCES__CRM__ENDPOINTS", '{"contacts": {"params": {"a": 1}}}'),
        ("sources__crm__endpoints", '{"contacts": {"params": {"a": 2}}}'),
    ]
    set_variables(dict(variables[::order]))
    settings = resolve_settings()
    assert (settings.per_page, settings.reporting_timezone) == (7, "Asia/Tokyo")
    assert (settings.path("contacts"), settings.endpoint("contacts").params) == ("/people", {"a": 1})


@pytest.mark.parametrize("blank", ["", " "], ids=["empty", "blank"])
@pytest.mark.parametrize("kind", ["variable", "env file", "toml"])
def test_an_empty_value_counts_as_not_set(
    kind: str, blank: str, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (working.parent / "project" / ".env").write_text("SOURCES__CRM__API_KEY_NAME=X-Key\n", encoding="utf-8")
    if kind == "variable":
        monkeypatch.setenv("SOURCES__CRM__API_KEY_NAME", blank)
    elif kind == "env file":
        (working / ".env").write_text(f"SOURCES__CRM__API_KEY_NAME='{blank}'\n", encoding="utf-8")
    else:
        (working / ".dlt" / "config.toml").write_text(f'[sources.crm]\napi_key_name = "{blank}"\n', encoding="utf-8")
    assert resolve_settings().api_key_name == "X-Key"


@pytest.mark.parametrize("name", CrmSettings.model_fields)
def test_each_setting_has_its_default_if_it_is_blank(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setting_name(name), " ")
    default = CrmSettings.model_fields[name].get_default(call_default_factory=True)
    assert getattr(resolve_settings(), name) == default


def test_endpoints_are_put_together_from_all_places(working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS", '{"contacts": {"path": "/people", "params": {"include": "owner"}}}')
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__CONTACTS__PATH", "/contacts/view/1")
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__OPEN_TASKS__PARAMS__FILTER", "open")
    (working / ".dlt" / "config.toml").write_text(
        '[sources.crm.endpoints]\ncontacts = { path = "/x", params = { q = "a" } }\naccounts = { path = "/a" }\n',
        encoding="utf-8",
    )
    settings = resolve_settings()
    assert settings.path("contacts") == "/contacts/view/1"
    assert settings.endpoint("contacts").params == {"include": "owner", "q": "a"}
    assert settings.endpoint("open_tasks").params == {"filter": "open"}
    assert settings.path("accounts") == "/a"


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        (".env", b"A=1\nthis is no setting\n", 2),
        (".env", b"A=1\nB='open\n", 2),
        (".env", "A=1\nB=ü".encode("latin-1"), 2),
        (".env", "A=1\n".encode("utf-16"), 1),
        (".dlt/config.toml", b"[sources.crm]\nper_page = many\n", 2),
        (".dlt/secrets.toml", b'[sources.crm]\n\napi_key = "open\n', 3),
        (".dlt/secrets.toml", b'[sources.crm]\napi_key = "\xfc"\n', 2),
    ],
)
@pytest.mark.parametrize("folder", ["working", "project"])
def test_an_unreadable_file_is_reported_with_its_line(
    folder: str, name: str, content: bytes, line: int, working: Path
) -> None:
    path = working.parent / folder / name
    path.write_bytes(content)
    with pytest.raises(SettingsError) as raised:
        resolve_settings()
    assert str(raised.value).startswith(f"{path}, line {line}: ")
    assert setting_at_load("executor") == "in_process", "the code location loads all the same"


@pytest.mark.parametrize("value", ["{ a = 1 }", "[1]", "2026-01-01"], ids=["table", "list", "date"])
def test_folder_is_a_text(value: str, working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRM_DATA_DIR")
    (working / ".dlt" / "secrets.toml").write_text(f"crm_data_dir = {value}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"crm_data_dir .* is not allowed: give a folder that can be written to"):
        resolve_settings()


def test_long_value_is_masked_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://crm.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", key := "k1" * 200)
    monkeypatch.setenv("CRM_EXECUTOR", f"{'x' * 90}{key}{'x' * 90}")
    _, [sentence] = checked(find())
    assert len(sentence) < 300
    assert "k1" not in sentence
    assert sentence.endswith("give in_process, multiprocess, docker or k8s.")


@pytest.mark.parametrize("setting", ["per_page", "request_timeout", "endpoints.accounts.vanishing_share", "api_key"])
def test_true_is_neither_a_number_nor_a_text(setting: str, working: Path) -> None:
    path = working / ".dlt" / "secrets.toml"
    path.write_text(f"[sources.crm]\n{setting} = true\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=f"{setting.partition('.')[0]}.* must not be true or false: give "):
        resolve_settings()


def test_a_file_that_is_nested_too_deeply_is_reported(working: Path) -> None:
    path = working / ".dlt" / "config.toml"
    path.write_text(f"a = {'[' * 9999}{']' * 9999}", encoding="utf-8")
    with pytest.raises(SettingsError, match="nested too deeply") as raised:
        resolve_settings()
    assert str(raised.value).startswith(f"{path}, nested")


def test_folder_named_like_an_env_file_is_ignored(working: Path) -> None:
    (working / ".env" / "bin").mkdir(parents=True)
    assert resolve_settings().is_sandbox


@pytest.mark.parametrize("name", [".env", ".dlt/secrets.toml"])
def test_empty_folder_in_place_of_a_file_is_reported(name: str, working: Path) -> None:
    (working / name).mkdir()
    with pytest.raises(SettingsError, match=rf"{name}: an empty folder"):
        resolve_settings()


@pytest.mark.parametrize("name", [".env", ".dlt/secrets.toml", ".dlt"])
def test_link_that_leads_nowhere_is_reported(name: str, working: Path) -> None:
    if name == ".dlt":
        (working / name).rmdir()
    (working / name).symlink_to(working / "missing")
    with pytest.raises(SettingsError, match=rf"{name}: a link to a missing"):
        resolve_settings()


def test_a_secret_does_not_belong_into_the_file_that_git_keeps(working: Path) -> None:
    (working / ".dlt" / "config.toml").write_text(
        f'[sources.crm]\nbase_url = "https://crm.example"\napi_key = "{KEY}"\n', encoding="utf-8"
    )
    with pytest.raises(SettingsError, match="secrets.toml") as raised:
        resolve_settings()
    assert KEY not in str(raised.value)


def test_misspelt_name_is_reported_with_file_and_closest_name(working: Path) -> None:
    path = working / ".dlt" / "config.toml"
    path.write_text("[sources.crm]\npage_size = 10\n", encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        resolve_settings()
    assert f"sources.crm.page_size in {path}. Did you mean sources.crm.per_page?" in str(raised.value)


@pytest.mark.parametrize(
    ("file", "folder"), [(".env", "working"), (".env", "project"), (".dlt/config.toml", "project")]
)
def test_a_relative_folder_is_relative_to_the_file_that_names_it(
    file: str, folder: str, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CRM_DATA_DIR")
    line = "CRM_DATA_DIR=warehouse" if file == ".env" else 'crm_data_dir = "warehouse"'
    (working.parent / folder / file).write_text(f"{line}\n", encoding="utf-8")
    assert resolve_settings().data_dir == working.parent / folder / "warehouse"


@pytest.mark.parametrize(("given", "meant"), [("here", "{cwd}/here"), ("~/crm", "{home}/crm"), ("/a/../b", "/a/../b")])
def test_a_folder_may_be_relative_or_in_the_home(
    given: str, meant: str, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("CRM_DATA_DIR", given)
    assert resolve_settings().data_dir == Path(meant.format(cwd=working, home="/home/somebody"))


@pytest.mark.parametrize("name", ["CRM_DATA_DIR", "CRM_WAREHOUSE"])
def test_path_that_is_not_utf8_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, os.fsdecode(b"/srv/caf\xe9"))
    with pytest.raises(SettingsError, match=rf"{name}\W.* is not UTF-8"):
        resolve_settings()
