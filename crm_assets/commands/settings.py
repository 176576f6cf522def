"""Show every setting: its value, its origin, and what is allowed.

The exit code is 1 if any setting is wrong. Secrets are masked.
"""

from argparse import ArgumentParser, Namespace

from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.describing import SETTINGS, allowed, shown
from crm_assets.settings.finding import SECRETS, Found, find
from crm_assets.settings.names import setting_name
from crm_assets.settings.resolving import problems, wrong_value


def add_arguments(_: ArgumentParser) -> None:
    """Adds no arguments."""


def run(_: Namespace) -> int:
    """Prints a line per setting, then a message for each problem."""
    found = find()
    wrong = problems(found)
    rows = [("setting", "value", "from", "allowed"), *(_row(name, found) for name in SETTINGS)]
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
    if name not in found.values:
        return setting_name(name), shown(getattr(CrmSettings(), name)), "default", allowed(name)
    value = "***" if name in SECRETS else shown(found.values[name])
    value = "not allowed" if wrong_value(found, name) else value
    return setting_name(name), value, " and ".join(found.places[name]), allowed(name)
