"""The command line: crm-assets [COMMAND], or python -m crm_assets."""

import gc
import os
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from importlib.metadata import version
from io import TextIOWrapper
from itertools import chain

import duckdb

from crm_assets.errors import CrmAssetsError
from crm_assets.masking import MaskedStream, mask_log_records
from crm_assets.settings import DEFAULT_CRM, Crm, find, section_in_use
from crm_assets.warehouse.duckdb_messages import is_lost, is_out_of_memory, reason

MODULES: Mapping[str, Sequence[str]] = {
    "configuration": ("check", "settings", "new-key"),
    "runs": ("run", "report"),
    "build": ("build",),
    "stored": ("tables", "publish", "confirm", "accept-address", "move-to-lake"),
    "privacy": ("forget", "apply-policy"),
}
"""Module of `commands` -> its commands."""

COMMANDS = tuple(chain(*MODULES.values()))
DEFAULT = "tables"

INTERRUPTED, NOT_READ = 130, 141
"""The exit codes of a process that was interrupted with Ctrl-C, or whose output nobody reads, as shells count them."""


def command_line(modules: Iterable[str] = MODULES) -> ArgumentParser:
    """The parser of the commands in these modules, with each command's docstring as its help."""
    parser = ArgumentParser(
        prog="crm-assets",
        usage="%(prog)s [-h] [--version] [COMMAND [OPTION ...]]",  # --crm comes after the command
        description="Commands for a CRM in DuckDB. `crm-assets COMMAND --help` describes each.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('crm_assets')}")
    parser.set_defaults(crm=DEFAULT_CRM)
    subparsers = parser.add_subparsers(
        dest="command",
        metavar="COMMAND",
        prog=parser.prog,
        title="commands",
        description=f"Without a command: {DEFAULT}.",
    )

    def add(command: Callable[[Namespace], int], *, of_a_crm: bool = True) -> ArgumentParser:
        help_text = command.__doc__ or ""
        first_line = help_text.partition("\n")[0].rstrip(".")
        subparser = subparsers.add_parser(command.__name__.replace("_", "-"), help=first_line, description=help_text)
        subparser.set_defaults(run=command)
        if of_a_crm:  # a name that no CRM can have raises SettingsError when it is parsed
            about = "a CRM with a name (default: the one without)"
            subparser.add_argument("--crm", metavar="NAME", type=Crm, default=DEFAULT_CRM, help=about)
        return subparser

    for module in modules:
        import_module(f"crm_assets.commands.{module}").add_commands(add)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command, whose output is masked. Returns the exit code of the process.

    `argv`: the arguments; those of the process by default.
    """
    gc.set_threshold(*gc.get_threshold()[:2], 100)  # a full collection visits all that was imported: 0.1 s of CPU
    mask_log_records()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the caller: >&-
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="replace")  # of a terminal that has no other characters than ASCII
    with redirect_stdout(MaskedStream(sys.stdout)), redirect_stderr(MaskedStream(sys.stderr)):
        try:
            return _run(sys.argv[1:] if argv is None else argv)
        except KeyboardInterrupt:
            print("\nInterrupted. No table is left half written: run the command again", file=sys.stderr)
            return INTERRUPTED


def _run(argv: Sequence[str]) -> int:
    command, *_ = argv or [DEFAULT]
    try:
        named = [module for module, commands in MODULES.items() if command in commands]
        needed = [] if command == "--version" else named or MODULES
        arguments = command_line(needed).parse_args(argv or [command])
        if arguments.command != "settings":  # which reports them itself
            for sentence in find().unknown:
                print(sentence, file=sys.stderr)
        with section_in_use(arguments.crm.section):
            code: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # head, for example, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_READ
    except CrmAssetsError as error:
        print(error, file=sys.stderr)
        return 1
    except (OSError, duckdb.Error) as error:
        from crm_assets.assets.failures import disk_error  # imports Dagster, which takes a second

        message = disk_error(error)
        if not message and isinstance(error, duckdb.Error):
            message = reason(error)
            if not is_out_of_memory(error) and not is_lost(error):  # a bug, whose message may hold values
                traceback.print_tb(error.__traceback__)
        print(message or error, file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 # a bug: its traceback is masked as well
        if isinstance(error.__cause__, KeyboardInterrupt):  # DuckDB raises an error of its own for it
            raise error.__cause__ from None
        traceback.print_exc()
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
