"""Show every setting: its value, its origin, and what is allowed.

The exit code is 1 if any setting is wrong. Secrets are masked.
"""

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace

from crm_assets.commands.options import add_crm_option, chosen_crm
from crm_assets.masking import MASK
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.describing import SETTINGS, allowed, shown
from crm_assets.settings.finding import SECRETS, Found, find
from crm_assets.settings.names import setting_name
from crm_assets.settings.resolving import problems, wrong_value

COLUMNS = ("setting", "value", "from", "allowed")


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the CRM and the format."""
    add_crm_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON: all settings, and what is wrong with them")


def run(arguments: Namespace) -> int:
    """Prints a line per setting, then a message for each problem."""
    found = find(chosen_crm(arguments))
    wrong = problems(found)
    rows = [COLUMNS, *(_row(name, found) for name in SETTINGS)]
    if arguments.json:
        listed = [dict(zip(COLUMNS, row, strict=True)) for row in rows[1:]]
        print(json.dumps({"settings": listed, "problems": wrong}, indent=2))
        return 1 if wrong else 0
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    is_narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < sum(widths) + len(COLUMNS[3]) * 4
    for name, value, origin, permitted in rows:
        cells = [text.ljust(width) for text, width in zip((name, value, origin), widths, strict=True)]
        narrow = f"{name}\n    {value}\n    {origin}; {permitted}"
        print((narrow if is_narrow else "  ".join([*cells, permitted])).replace("`", ""))
    for sentence in wrong:
        print(f"\n{sentence}")
    return 1 if wrong else 0


def _row(name: str, found: Found) -> tuple[str, str, str, str]:
    variable = setting_name(name, found.crm.section)
    if name not in found.values:
        return variable, shown(getattr(CrmSettings(), name)), "default", allowed(name)
    value = MASK if name in SECRETS else shown(found.values[name])
    value = "not allowed" if wrong_value(found, name) else value
    return variable, value, " and ".join(found.origins[name]), allowed(name)
