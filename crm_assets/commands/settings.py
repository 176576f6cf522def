"""Show every setting: its value, its origin, and what is allowed.

The exit code is 1 if any setting is wrong. Secrets are masked.
"""

import json
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from crm_assets.alerts.sending import unusable
from crm_assets.masking import MASK
from crm_assets.settings.crm import CrmSettings
from crm_assets.settings.finding import SECRETS, Found, allowed, alone, checked, find
from crm_assets.settings.names import is_about_deployment, setting_name
from crm_assets.settings.secrets import path, url

COLUMNS = ("setting", "value", "from", "allowed")

SETTINGS = tuple(sorted(CrmSettings.model_fields, key=is_about_deployment))
"""All settings in the order in which they are shown: those about the CRM first."""


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the format."""
    parser.add_argument("--json", action="store_true", help="print JSON: all settings, and what is wrong with them")


def run(arguments: Namespace) -> int:
    """Prints a line per setting, then a message for each problem."""
    found = find(arguments.crm)
    wrong = [*found.unreadable, *found.errors, *found.unknown, *checked(found)[1], *unusable(found)]
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
        print(narrow if is_narrow else "  ".join([*cells, permitted]))
    for sentence in wrong:
        print(f"\n{sentence}")
    return 1 if wrong else 0


def _row(name: str, found: Found) -> tuple[str, str, str, str]:
    variable, (value, wrong) = setting_name(name, found.crm.section), alone(found, name)
    permitted = allowed(name).replace("`", "")  # of Markdown
    if name not in found.values:
        return variable, shown(value), "default", permitted
    value = "not allowed" if wrong else MASK if name in SECRETS else shown(found.values[name])
    return variable, value, " and ".join(found.origins[name]), permitted


def shown(value: Any) -> str:
    """A value that is not a secret: of URLs without user and parameters."""
    if isinstance(value, Mapping):
        return json.dumps({name: _without_secrets(given) for name, given in value.items()})
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool) or value is None:
        return json.dumps(value).replace("null", "none")
    return url(str(getattr(value, "value", value))).shown


def _without_secrets(given: Any) -> Any:
    """One resource's settings, without the values of its parameters: any of them may be a secret."""
    if not isinstance(given, Mapping):
        return MASK
    params, where = given.get("params"), given.get("path")
    return {
        **given,
        **({"params": dict.fromkeys(params, MASK) if isinstance(params, Mapping) else MASK} if params else {}),
        **({"path": path(str(where))} if where else {}),
    }
