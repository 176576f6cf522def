"""Commands about settings, and whether a CRM can be read with them."""

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from secrets import token_urlsafe
from typing import Any

from crm_assets.alerts.sending import unusable
from crm_assets.commands import Add
from crm_assets.masking import MASK
from crm_assets.settings import setting_name
from crm_assets.settings.crm import SANDBOX, CrmSettings, EndpointSettings
from crm_assets.settings.deployment import DeploymentSettings
from crm_assets.settings.finding import SECRETS, Found, allowed, alone, checked, find
from crm_assets.settings.secrets import path, url

COLUMNS = ("setting", "value", "from", "allowed")

SETTINGS = tuple(sorted(CrmSettings.model_fields, key=lambda name: name in DeploymentSettings.model_fields))
"""All settings in the order in which they are shown: those about the CRM first."""


def add_commands(add: Add) -> None:
    """Adds the commands."""
    add(check).add_argument("--json", action="store_true", help="print the findings as JSON")
    about = "print JSON: all settings, and what is wrong with them"
    add(settings).add_argument("--json", action="store_true", help=about)
    add(new_key, of_a_crm=False)


def check(arguments: Namespace) -> int:
    """Check whether the CRM can be read, how many requests reads will take, and which settings to change.

    Sends at most two requests per list and writes nothing. The exit code is 0 only if every list can be read.
    """
    # Imported here: other commands need no Dagster.
    from dagster import build_init_resource_context

    from crm_assets.connection import CrmConnection
    from crm_assets.probing.check import text

    def announce(sentence: str) -> None:
        print(sentence, file=sys.stderr)

    for sentence in unusable(find(arguments.crm)):
        announce(sentence)
    with CrmConnection().yield_for_execution(build_init_resource_context()) as connection:
        findings = connection.check(announce, arguments.crm)
    if arguments.json:
        print(json.dumps(asdict(findings), indent=2))
    else:
        lines = [f"CRM: {findings.address}", *text(findings)]
        if findings.address == SANDBOX:
            lines.insert(1, f"No CRM is configured: set {setting_name('base_url')} and {setting_name('api_key')}")
        for line in lines:
            print("".join(character if character.isprintable() else "?" for character in line))
    return 1 if findings.unreadable else 0


def settings(arguments: Namespace) -> int:
    """Show every setting: its value, its origin, and what is allowed.

    The exit code is 1 if any setting is wrong. Secrets are masked.
    """
    found = find(arguments.crm)
    wrong = [*found.unreadable, *found.errors, *found.unknown, *checked(found)[1], *unusable(found)]
    rows = [_row(name, found) for name in SETTINGS]
    if arguments.json:
        listed = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        print(json.dumps({"settings": listed, "problems": wrong}, indent=2))
        return 1 if wrong else 0
    table = [COLUMNS, *(tuple(text or "none" for text in row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    is_narrow = sys.stdout.isatty() and shutil.get_terminal_size().columns < sum(widths) + len(COLUMNS[3]) * 4
    for name, value, origin, permitted in table:
        cells = [text.ljust(width) for text, width in zip((name, value, origin), widths, strict=True)]
        narrow = f"{name} ({origin})\n    {value}\n    {permitted}"
        print(narrow if is_narrow else "  ".join([*cells, permitted]))
    for sentence in wrong:
        print(f"\n{sentence}")
    return 1 if wrong else 0


def _row(name: str, found: Found) -> tuple[str, str | None, str, str]:
    """A setting's variable, its value if it has any, its origin and what is allowed."""
    value, wrong = alone(found, name)
    shown = "not allowed" if wrong else MASK if name in SECRETS and value else _shown(value)
    origin = " and ".join(found.origins.get(name, ["default"]))
    return setting_name(name, found.crm.section), shown, origin, allowed(name).replace("`", "")  # of Markdown


def _shown(value: Any) -> str | None:
    """A value that is not a secret: of URLs without user and parameters. None if there is none."""
    if isinstance(value, Mapping):
        return json.dumps({name: _without_secrets(endpoint) for name, endpoint in value.items()})
    if isinstance(value, tuple):
        return ", ".join(value) or None
    if isinstance(value, bool):
        return json.dumps(value)
    return None if value is None else url(str(getattr(value, "value", value))).shown


def _without_secrets(endpoint: EndpointSettings) -> dict[str, Any]:
    """What was set of a resource, without the values of its parameters: any of them may be a secret."""
    given = endpoint.model_dump(exclude_unset=True)
    shown = {"params": dict.fromkeys(endpoint.params, MASK), "path": path(endpoint.path or "")}
    return {name: shown.get(name, value) for name, value in given.items()}


def new_key(_: Namespace) -> int:
    """Print a new random key for `personal_data_key`, the key of the hashes that replace personal data.

    Nothing is stored: put it into the settings, and keep a copy. With another key the same value has another hash.
    """
    print(token_urlsafe(32))
    return 0
