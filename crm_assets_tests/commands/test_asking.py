"""Commands that destroy data ask, and take anything but yes for no."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from crm_assets.commands import add_answers, is_confirmed
from crm_assets.errors import CrmAssetsError
from crm_assets_tests.commands.terminals import terminal


def confirmed(*options: str) -> bool:
    parser = ArgumentParser()
    add_answers(parser)
    return is_confirmed(parser.parse_args(options), "Erase everything?")


@pytest.mark.parametrize(("typed", "answer"), [("y", True), ("YES", True), ("n", False), ("", False), ("2", False)])
def test_only_yes_in_a_terminal_confirms(monkeypatch: pytest.MonkeyPatch, typed: str, answer: bool) -> None:
    with terminal(monkeypatch, typed):
        assert confirmed() == answer


@pytest.mark.parametrize(("option", "answer"), [("--yes", True), ("--dry-run", False)])
def test_an_option_answers_without_a_question(option: str, answer: bool, capsys: pytest.CaptureFixture[str]) -> None:
    assert confirmed(option) == answer
    assert capsys.readouterr().out == ""


def test_an_option_is_named_where_nobody_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open(encoding="utf-8") as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(CrmAssetsError, match="add --yes"):
            confirmed()
