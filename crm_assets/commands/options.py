"""The option `--crm NAME` of commands, and the question of those that destroy data."""

import sys
from argparse import ArgumentParser, Namespace

from crm_assets.errors import CrmAssetsError
from crm_assets.settings import Crm


def add_crm_option(parser: ArgumentParser) -> None:
    """Adds the option."""
    parser.add_argument("--crm", metavar="NAME", default="", help="a CRM with a name (default: the one without)")


def chosen_crm(arguments: Namespace) -> Crm:
    """The CRM that the option names.

    Raises:
        SettingsError: No CRM can have this name.
    """
    return Crm(arguments.crm)


def is_confirmed(question: str) -> bool:
    """Asks in the terminal. Anything but yes is no.

    Raises:
        CrmAssetsError: There is no terminal to ask in.
    """
    if not sys.stdin.isatty():
        raise CrmAssetsError(
            "Nothing was changed, as there is no terminal to ask in: add --yes to do this without a question"
        )
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
