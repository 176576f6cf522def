"""The commands of `crm-assets`: each module is one, and is imported only if it is needed.

A command's docstring is its help, `add_arguments` declares its arguments, if it has any, and `run` returns the exit
code. Commands raise expected errors, and `__main__` prints their messages. `__main__` adds the option `--crm`. Here is
the question of those that destroy data, and the options that answer it.
"""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from crm_assets.errors import CrmAssetsError


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
