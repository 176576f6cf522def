"""Show every setting: its value, its origin, and what is allowed.

The exit code is 1 if any setting is wrong. Secrets are masked.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.commands.choosing import add_crm_option, chosen_crms
from crm_assets.masking import MASK
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.describing import SETTINGS, allowed, shown
from crm_assets.settings.finding import SECRETS, Found, find
from crm_assets.settings.names import is_about_surroundings, setting_name
from crm_assets.settings.resolving import problems, wrong_value


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the CRM."""
    add_crm_option(parser)


def run(arguments: Namespace) -> int:
    """Prints a line per setting, for each CRM those about it, then a message for each problem."""
    crms = chosen_crms(arguments)
    found = {crm: find(crm) for crm in crms}
    of_crms = [_row(name, found[crm]) for crm in crms for name in SETTINGS if not is_about_surroundings(name)]
    of_machine = [_row(name, found[crms[0]]) for name in SETTINGS if is_about_surroundings(name)]
    wrong = list(dict.fromkeys(sentence for crm in crms for sentence in problems(found[crm])))
    rows = [("setting", "value", "from", "allowed"), *of_crms, *of_machine]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *columns, permitted in rows:
        print(
            *(text.ljust(width) for text, width in zip(columns, widths, strict=True)),
            permitted.replace("`", ""),
            sep="  ",
        )
    for sentence in wrong:
        print(f"\n{sentence}")
    return 1 if wrong else 0


def _row(name: str, found: Found) -> tuple[str, str, str, str]:
    variable = found.crm.told(setting_name(name))
    if name not in found.values:
        return variable, shown(getattr(CrmSettings(), name)), "default", allowed(name)
    value = MASK if name in SECRETS else shown(found.values[name])
    value = "not allowed" if wrong_value(found, name) else value
    return variable, value, " and ".join(found.places[name]), allowed(name)
