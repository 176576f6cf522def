"""The commands of `crm-assets`. A module is imported only if one of its commands is called.

Each module adds its commands: functions that return the exit code, with their help as docstring. They raise expected
errors, and `__main__` prints their messages. Here is the question of those that destroy data, and the options that
answer it.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import Any

from crm_assets.errors import CrmAssetsError

Add = Callable[..., ArgumentParser]
"""Adds a function as a command; `of_a_crm=False`: without the option `--crm`. Returns its parser, for its arguments."""


def add_answers(parser: ArgumentParser) -> Any:
    """Adds the options `--yes` and `--dry-run`. Returns their group: only one of its options may be given."""
    answers = parser.add_mutually_exclusive_group()
    answers.add_argument("--yes", action="store_true", help="do it without asking")
    answers.add_argument("--dry-run", action="store_true", help="only show what would be done")
    return answers


def is_confirmed(arguments: Namespace, question: str) -> bool:
    """Asks in the terminal, unless an option has the answer. Anything but yes is no.

    Raises:
        CrmAssetsError: There is no terminal to ask in.
    """
    if arguments.yes or arguments.dry_run:
        return bool(arguments.yes)
    if not sys.stdin.isatty():
        raise CrmAssetsError(
            "Nothing was changed, as there is no terminal to ask in: add --yes to do this without a question"
        )
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
