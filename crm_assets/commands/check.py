"""Check whether the CRM can be read, how many requests reads will take, and which settings to change.

Sends at most two requests per list and writes nothing. The exit code is 0 only if every list can be read.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from dagster import build_init_resource_context

from crm_assets.alerts.sending import unusable
from crm_assets.connection import CrmConnection
from crm_assets.probing.check import CrmFindings, text
from crm_assets.settings import setting_name
from crm_assets.settings.crm import SANDBOX
from crm_assets.settings.finding import find


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the output format."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: Namespace) -> int:
    """Checks the configured CRM, or the sandbox, and prints the findings."""
    for sentence in unusable(find(arguments.crm)):
        _announce(sentence)
    with CrmConnection().yield_for_execution(build_init_resource_context()) as connection:
        findings = connection.check(_announce, arguments.crm)
    if arguments.json:
        print(json.dumps(asdict(findings), indent=2))
    else:
        _show(findings)
    return 1 if findings.unreadable else 0


def _announce(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _show(findings: CrmFindings) -> None:
    lines = [f"CRM: {findings.address}"]
    if findings.address == SANDBOX:
        lines.append(f"No CRM is configured: set {setting_name('base_url')} and {setting_name('api_key')}")
    for line in (*lines, *text(findings)):
        print("".join(character if character.isprintable() else "?" for character in line))
