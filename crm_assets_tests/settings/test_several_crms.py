"""Settings of CRMs with names: a section for each, with defaults in `sources.crm`."""

from pathlib import Path

import pytest

from crm_assets.errors import SettingsError
from crm_assets.runner.loading import load_models
from crm_assets.settings import Crm, find, names, resolve_settings
from crm_assets.settings.names import RESERVED
from crm_assets_tests.scripted_crm import KEY

NORTH, SOUTH = Crm("north"), Crm("south")


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path) -> Path:
    """The file with both CRMs' settings, in the working folder."""
    path = tmp_path / ".dlt" / "secrets.toml"
    path.parent.mkdir()
    return write(path)


def write(path: Path, more: str = "") -> Path:
    """Writes the settings of two CRMs. `more`: lines for `north`."""
    tables = [
        f'[sources.{name}]\nbase_url = "https://{name}.example"\napi_key = "{KEY}"' for name in ("south", "north")
    ]
    path.write_text("\n".join([*tables, more]), encoding="utf-8")
    return path


def error(crm: Crm) -> str:
    with pytest.raises(SettingsError) as raised:
        resolve_settings(crm)
    return str(raised.value)


@pytest.fixture
def defs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file for the CRM `east`."""
    path = tmp_path / "defs" / "east" / "defs.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("type: crm_assets.components.CrmComponent\n\nattributes:\n  name: east\n", encoding="utf-8")
    monkeypatch.setattr(names, "DEFS", tmp_path / "defs")
    return path


@pytest.mark.usefixtures("defs")
def test_name_of_no_crm_is_answered_with_those_that_there_are() -> None:
    assert "has the CRM west; names there: east." in error(Crm("west"))
    assert "names there" not in error(Crm("east"))


def test_file_of_a_crm_that_dagster_does_not_read_is_named(defs: Path) -> None:
    assert find().unknown == []
    for name in ("def.yaml", "Defs.yml"):
        path = defs.rename(defs.with_name(name))
        assert find().unknown == [f"{path} is not read, so there is no such CRM: rename it to defs.yaml"]
        path.rename(defs)


def test_each_crm_has_a_section(secrets: Path) -> None:
    write(secrets, "requests_per_hour = 100")
    north, south = resolve_settings(NORTH), resolve_settings(SOUTH)
    assert (north.base_url, north.requests_per_hour) == ("https://north.example", 100)
    assert (south.base_url, south.requests_per_hour) == ("https://south.example", None)
    assert resolve_settings().is_sandbox


def test_environment_comes_before_files(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(secrets, "per_page = 20\nmax_in_flight = 2")
    monkeypatch.setenv("SOURCES__NORTH__MAX_IN_FLIGHT", "3")
    settings = resolve_settings(NORTH)
    assert (settings.per_page, settings.max_in_flight) == (20, 3)


def test_section_crm_has_the_defaults(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(secrets, "per_page = 30")
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "20")
    monkeypatch.setenv("SOURCES__CRM__MAX_IN_FLIGHT", "2")
    north, south = resolve_settings(NORTH), resolve_settings(SOUTH)
    assert (north.per_page, north.max_in_flight) == (30, 2)
    assert (south.per_page, south.max_in_flight) == (20, 2)


@pytest.mark.parametrize("missing", ["base_url", "api_key"])
def test_url_and_key_have_no_default(secrets: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    lines = secrets.read_text(encoding="utf-8").splitlines()
    secrets.write_text("\n".join(line for line in lines if not line.startswith(missing)), encoding="utf-8")
    monkeypatch.setenv("SOURCES__CRM__BASE_URL", "https://default.example")
    monkeypatch.setenv("SOURCES__CRM__API_KEY", KEY)
    monkeypatch.setenv("API_KEY", KEY)
    message = error(NORTH)
    assert f"sources.north.{missing} (SOURCES__NORTH__{missing.upper()}) is missing" in message
    assert "sandbox" not in message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("per_pge = 20", "Unknown setting sources.north.per_pge in {path}. Did you mean sources.north.per_page?"),
        ("per_page = 0", "Setting sources.north.per_page (SOURCES__NORTH__PER_PAGE) in {path} is"),
        ('data_dir = "elsewhere"', "Unknown setting sources.north.data_dir in {path}."),
        ('personal_data = "hash"', "sources.north.personal_data_key (SOURCES__NORTH__PERSONAL_DATA_KEY) is missing"),
    ],
)
def test_wrong_setting_concerns_its_crm_alone(secrets: Path, line: str, message: str) -> None:
    write(secrets, line)
    assert message.format(path=secrets) in error(NORTH)
    assert resolve_settings(SOUTH).base_url == "https://south.example"


def test_wrong_default_has_the_name_of_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "0")
    assert error(NORTH).startswith("Setting sources.crm.per_page (SOURCES__CRM__PER_PAGE) in the environment is '0'")


def test_key_must_not_be_where_git_looks(secrets: Path) -> None:
    (secrets.parent / "config.toml").write_text(f'[sources.north]\napi_key = "{KEY}"\n', encoding="utf-8")
    message = error(NORTH)
    assert message.startswith("sources.north.api_key (SOURCES__NORTH__API_KEY) is a secret and must not be in")
    assert KEY not in message
    assert resolve_settings(SOUTH).base_url == "https://south.example"


@pytest.mark.parametrize("name", ["North", "9lives", "a-b", "a__b", "raw", "marts", "crm_north", "n" * 31])
def test_name_that_would_be_ambiguous_is_refused(name: str) -> None:
    with pytest.raises(
        SettingsError,
        match=f"'{name}' cannot be the name of a CRM.*(Give it|Choose another; the first CRM has no name)",
    ):
        Crm(name)


def test_every_folder_of_models_is_a_reserved_name() -> None:
    assert {model.schema for model in load_models()} <= RESERVED
