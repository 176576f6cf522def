"""The option `--crm NAME` of commands."""

from argparse import ArgumentParser, Namespace

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
