"""`new-key` prints keys that the settings take."""

import os

import pytest

from crm_assets.__main__ import main
from crm_assets.errors import SettingsError
from crm_assets.settings import CrmSettings, resolve_settings


def test_each_new_key_is_another_and_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["new-key"]), main(["new-key"])) == (0, 0)
    keys = capsys.readouterr().out.split()
    assert len(set(keys)) == 2
    for key in keys:
        assert CrmSettings.model_validate({"personal_data": "hash", "personal_data_key": key}).hash_key == key.encode()


@pytest.mark.parametrize(("name", "value"), [("", "hash"), ("_KEY", "too short")], ids=["missing", "short"])
def test_missing_or_short_key_is_answered_with_the_command(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"SOURCES__CRM__PERSONAL_DATA{name}", value)
    with pytest.raises(SettingsError, match="crm-assets new-key"):
        resolve_settings()


def test_key_need_not_be_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    key = bytes(range(224, 256))
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", os.fsdecode(key))
    assert resolve_settings().hash_key == key
