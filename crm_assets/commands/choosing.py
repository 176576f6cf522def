"""The option `--crm NAME` of commands, for deployments with several CRMs."""

from argparse import ArgumentParser, Namespace

from crm_assets.errors import SettingsError
from crm_assets.settings import Crm, configured_crms
from crm_assets.settings.crms import wrong_crms

ALL, ONE = (
    "the CRM, of those in crms.toml (default: all)",
    "the CRM, of those in crms.toml; needed if there are several",
)


def add_crm_option(parser: ArgumentParser, told: str = ALL) -> None:
    """Adds the option. `told`: its help."""
    parser.add_argument("--crm", metavar="NAME", help=told)


def chosen_crms(arguments: Namespace) -> list[Crm]:
    """The CRM that the option names; all without it.

    Raises:
        SettingsError: There is none of this name, or none at all.
    """
    crms = configured_crms()
    if not crms:
        raise SettingsError("\n".join(wrong_crms()))
    chosen = [crm for crm in crms if arguments.crm in {None, crm.name}]
    if chosen:
        return chosen
    names = (
        ", ".join(crm.name for crm in crms if crm.name) or "none: without crms.toml there is one CRM, without a name"
    )
    raise SettingsError(f"There is no CRM {arguments.crm!r}. Those in crms.toml: {names}")


def chosen_crm(arguments: Namespace) -> Crm:
    """The CRM that the option names, or the only one.

    Raises:
        SettingsError: There is none of this name, or the option is needed.
    """
    crms = chosen_crms(arguments)
    if len(crms) > 1:
        raise SettingsError(f"There are several CRMs. Add --crm with one of {', '.join(crm.name for crm in crms)}")
    return crms[0]
