"""Check whether the CRM can be read, how many requests reads will take, and which settings to change.

Sends at most two requests per list and writes nothing. The exit code is 0 only if every list can be read.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from dagster import build_init_resource_context

from crm_assets.commands.choosing import add_crm_option, chosen_crms
from crm_assets.connection import SANDBOX, CrmConnection
from crm_assets.errors import SettingsError
from crm_assets.probing.check import CrmFindings
from crm_assets.probing.report import text
from crm_assets.settings import setting_name


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the CRM and the output format."""
    add_crm_option(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: Namespace) -> int:
    """Checks the configured CRMs, or the sandbox, and prints the findings."""
    crms = chosen_crms(arguments)
    found: dict[str, CrmFindings] = {}
    with CrmConnection().yield_for_execution(build_init_resource_context()) as connection:
        for crm in crms:
            try:
                found[crm.name] = connection.check(_announce, crm)
            except SettingsError as error:
                _announce(str(error))
    if arguments.json:
        documents = {name: asdict(findings) for name, findings in found.items()}
        print(json.dumps(documents if crms[0].name else documents.get(""), indent=2))
    else:
        for name, findings in found.items():
            _show(name, findings)
    return 0 if len(found) == len(crms) and all(findings.can_be_read for findings in found.values()) else 1


def _announce(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _show(name: str, findings: CrmFindings) -> None:
    lines = [f"CRM: {findings.address}"]
    if findings.address == SANDBOX:
        lines.append(f"No CRM is configured: set {setting_name('base_url')} and {setting_name('api_key')}")
    for line in (*([name, ""] if name else []), *lines, *text(findings), *([""] if name else [])):
        print("".join(character if character.isprintable() else "?" for character in line))
