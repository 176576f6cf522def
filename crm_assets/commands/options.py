"""The option `--crm NAME` of commands, and the question of those that destroy data."""

import sys
from argparse import ArgumentParser, Namespace

from crm_assets.errors import CrmAssetsError
from crm_assets.settings import DEFAULT_CRM, Crm


def add_crm_option(parser: ArgumentParser) -> None:
    """Adds the option. A name that no CRM can have raises `SettingsError` when the arguments are parsed."""
    parser.add_argument(
        "--crm", metavar="NAME", type=Crm, default=DEFAULT_CRM, help="a CRM with a name (default: the one without)"
    )


def is_confirmed(arguments: Namespace, question: str) -> bool:
    """Asks in the terminal, unless the option `--yes` or `--dry-run` says it. Anything but yes is no.

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
