"""`new-key` prints keys that the settings take."""

import pytest

from crm_assets.__main__ import main
from crm_assets.settings import CrmSettings


def test_each_new_key_is_another_and_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main(["new-key"]), main(["new-key"])) == (0, 0)
    keys = capsys.readouterr().out.split()
    assert len(set(keys)) == 2
    for key in keys:
        assert CrmSettings.model_validate({"personal_data": "hash", "personal_data_key": key}).hash_key == key.encode()


@pytest.mark.parametrize("settings", [{"personal_data": "hash"}, {"personal_data_key": "too short"}])
def test_a_missing_or_short_key_is_answered_with_the_command(settings: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="crm-assets new-key"):
        CrmSettings.model_validate(settings)
