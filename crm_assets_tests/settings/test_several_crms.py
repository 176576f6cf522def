"""`crms.toml`: several CRMs, each with its settings, and what is told about a wrong one."""

from pathlib import Path

import pytest

from crm_assets.errors import SettingsError
from crm_assets.settings import Crm, configured_crms, resolve_settings
from crm_assets.settings.crms import LAYERS, wrong_crms
from crm_assets.sql_models.folders import FOLDERS
from crm_assets_tests.scripted_crm import KEY

NORTH = Crm("north")
COMPLETE = f'[{{name}}]\nbase_url = "https://{{name}}.example"\napi_key = "{KEY}"\n'


@pytest.fixture
def crms(tmp_path: Path) -> Path:
    """The file, in the working folder."""
    path = tmp_path / "crms.toml"
    write(path, "north", "south")
    return path


def write(path: Path, *names: str, more: str = "") -> None:
    path.write_text("\n".join([*(COMPLETE.format(name=name) for name in names), more]), encoding="utf-8")


def error(crm: Crm) -> str:
    with pytest.raises(SettingsError) as raised:
        resolve_settings(crm)
    return str(raised.value)


def test_without_the_file_there_is_one_crm_without_a_name() -> None:
    assert [crm.name for crm in configured_crms()] == [""]
    assert wrong_crms() == []


def test_each_table_is_a_crm_with_its_own_settings(crms: Path) -> None:
    write(crms, "north", more="requests_per_hour = 100\n" + COMPLETE.format(name="south"))
    assert [crm.name for crm in configured_crms()] == ["north", "south"]
    north, south = map(resolve_settings, configured_crms())
    assert (north.base_url, north.requests_per_hour) == ("https://north.example", 100)
    assert (south.base_url, south.requests_per_hour) == ("https://south.example", None)


def test_the_projects_file_counts_where_the_working_folder_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DLT_PROJECT_DIR", str(tmp_path / "project"))
    (tmp_path / "project").mkdir()
    write(tmp_path / "project" / "crms.toml", "far")
    assert [crm.name for crm in configured_crms()] == ["far"]
    write(tmp_path / "crms.toml", "near")
    assert [crm.name for crm in configured_crms()] == ["near"]


def test_other_places_have_settings_of_a_crm_under_its_name(crms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (crms.parent / ".dlt").mkdir()
    (crms.parent / ".dlt" / "secrets.toml").write_text(
        "[north.sources.crm]\nper_page = 20\nmax_in_flight = 2\n", encoding="utf-8"
    )
    monkeypatch.setenv("NORTH__SOURCES__CRM__MAX_IN_FLIGHT", "3")
    settings = resolve_settings(NORTH)
    assert (settings.per_page, settings.max_in_flight) == (20, 3)
    assert resolve_settings(Crm("south")).per_page == 50


def test_settings_without_a_name_are_the_defaults(crms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(crms, "south", "north", more="per_page = 30")
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "20")
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", "2")
    north, south = resolve_settings(NORTH), resolve_settings(Crm("south"))
    assert (north.per_page, north.max_in_flight) == (30, 2)
    assert (south.per_page, south.max_in_flight) == (20, 2)


@pytest.mark.parametrize("missing", ["base_url", "api_key"])
def test_url_and_key_have_no_default(crms: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    lines = COMPLETE.format(name="north").splitlines(keepends=True)
    crms.write_text("".join(line for line in lines if not line.startswith(missing)), encoding="utf-8")
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://default.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    monkeypatch.setenv("API_KEY", KEY)
    assert f"NORTH__SOURCES__CRM__{missing.upper()}) is missing" in error(NORTH)


def test_a_crm_in_a_list_is_never_the_sandbox(crms: Path) -> None:
    crms.write_text("[north]\nper_page = 20\n", encoding="utf-8")
    assert "north.sources.crm.base_url (NORTH__SOURCES__CRM__BASE_URL) and north.sources.crm.api_key" in error(NORTH)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("per_pge = 20", "Unknown setting north.sources.crm.per_pge in [north] of {path}. Did you mean"),
        ("per_page = 0", "Setting north.sources.crm.per_page (NORTH__SOURCES__CRM__PER_PAGE) in [north] of {path} is"),
        ('data_dir = "elsewhere"', "Unknown setting north.sources.crm.data_dir in [north] of {path}."),
        ('personal_data = "hash"', "north.sources.crm.personal_data_key (NORTH__SOURCES__CRM__PERSONAL_DATA_KEY) is"),
    ],
)
def test_a_wrong_setting_concerns_its_crm_alone(crms: Path, line: str, told: str) -> None:
    write(crms, "south", "north", more=line)
    assert told.format(path=crms) in error(NORTH)
    assert resolve_settings(Crm("south")).base_url == "https://south.example"


@pytest.mark.usefixtures("crms")
def test_a_wrong_default_is_called_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "0")
    assert error(NORTH).startswith("Setting sources.crm.per_page (SOURCES__CRM__PER_PAGE) in the environment is '0'")


def test_a_key_must_not_be_where_git_looks(crms: Path) -> None:
    (crms.parent / ".dlt").mkdir()
    (crms.parent / ".dlt" / "config.toml").write_text(f'[north.sources.crm]\napi_key = "{KEY}"\n', encoding="utf-8")
    told = error(NORTH)
    assert told.startswith("north.sources.crm.api_key (NORTH__SOURCES__CRM__API_KEY) is a secret and must not be in")
    assert KEY not in told
    assert resolve_settings(Crm("south")).base_url == "https://south.example"


@pytest.mark.parametrize("name", ["North", "9lives", "a-b", "a__b", "raw", "marts", "crm_north", "n" * 31])
def test_a_bad_name_is_told_and_leaves_the_others(crms: Path, name: str) -> None:
    write(crms, "south", name)
    assert [crm.name for crm in configured_crms()] == ["south"]
    [sentence] = wrong_crms()
    assert sentence.startswith(f"{crms}: '{name}' cannot be the name of a CRM")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[north\n", "{path}, line 1: "),
        ("", "{path}: lists no CRM. Add a table for each"),
        ("per_page = 20\n", "{path}: per_page stands outside of the tables of the CRMs. Write it below [NAME]"),
    ],
)
def test_a_file_without_a_usable_crm_is_told_and_nothing_is_read_instead(crms: Path, content: str, told: str) -> None:
    crms.write_text(content, encoding="utf-8")
    assert configured_crms() == []
    [sentence] = wrong_crms()
    assert sentence.startswith(told.format(path=crms))


def test_settings_of_a_crm_that_is_not_listed_are_told(crms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NROTH__SOURCES__CRM__API_KEY", KEY)
    assert wrong_crms() == [
        f"the environment has settings of the CRM 'nroth', which {crms} does not list. Correct the name"
    ]


def test_no_two_crms_are_read_at_the_same_minute_and_a_new_one_moves_none(crms: Path) -> None:
    names = [f"crm{number}" for number in range(30)]
    write(crms, *names)
    minutes = [crm.minute for crm in configured_crms()]
    assert len(set(minutes)) == 30
    write(crms, *names, "another")
    assert [crm.minute for crm in configured_crms()][:30] == minutes


def test_every_folder_of_models_is_a_schema_of_a_crm() -> None:
    assert FOLDERS.keys() <= set(LAYERS)
