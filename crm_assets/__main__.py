"""The command line: python -m crm_assets [COMMAND]."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import duckdb

from crm_assets.commands import accept_address, check, dbt_project, forget, move_to_lake, report, settings, tables
from crm_assets.settings import unknown_variables
from crm_assets.source.errors import SourceError
from crm_assets.sql_models.dbt_project.writing import NotExported
from crm_assets.sql_models.refusals import ModelsRefused
from crm_assets.warehouse.backend import WarehouseUnreachable
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.moving import NotMoved


class Command(Protocol):
    """A module of `crm_assets.commands`."""

    __doc__: str | None

    def add_arguments(self, parser: ArgumentParser, /) -> None:
        """Adds what the command takes."""

    def run(self, arguments: Namespace, /) -> int:
        """Does it, and returns the process's exit code."""


COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "tables": tables,
        "check": check,
        "settings": settings,
        "accept-address": accept_address,
        "move-to-lake": move_to_lake,
        "report": report,
        "forget": forget,
        "dbt-project": dbt_project,
    }
)
"""Name -> module. The first one runs when none is named."""

EXPECTED_ERRORS = (
    SourceError,
    WarehouseBusy,
    WarehouseUnreachable,
    NotMoved,
    NotExported,
    ModelsRefused,
    OSError,
    duckdb.IOException,
)
"""What a user can act on: told in a sentence. Anything else is a fault of the program, and shows where it happened."""


def command_line() -> ArgumentParser:
    """The parser, with each command's docstring as its help."""
    parser = ArgumentParser(prog="python -m crm_assets", description="What can be done besides running assets.")
    default, *_ = COMMANDS
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", description=f"{default} if none is named"
    )
    for name, command in COMMANDS.items():
        first_line, *_ = (command.__doc__ or "").splitlines()
        command.add_arguments(subparsers.add_parser(name, help=first_line.rstrip("."), description=command.__doc__))
    return parser


def main() -> int:
    """Runs a command; returns the process's exit code."""
    default, *_ = COMMANDS
    arguments = command_line().parse_args(sys.argv[1:] or [default])
    if arguments.command != "settings":  # which tells them itself
        for sentence in unknown_variables():
            print(sentence, file=sys.stderr)
    try:
        return COMMANDS[arguments.command].run(arguments)
    except EXPECTED_ERRORS as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
