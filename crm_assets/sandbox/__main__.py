"""Serves the sandbox in the foreground: ``python -m crm_assets.sandbox``."""

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from threading import Event
from typing import Final

from crm_assets.sandbox.faults import Faults
from crm_assets.sandbox.running import DEFAULT_ROWS, DEFAULT_SEED, RunningSandbox, serving_sandbox, wall_clock

_DEFAULT_PORT: Final = 8080
_HIGHEST_PORT: Final = 65_535
_WAKE: Final = 0.5  # seconds; where signals do not end a wait, this does

_DESCRIPTION: Final = """\
Serve a CRM with generated, living records on 127.0.0.1, until Ctrl-C.

The records follow from the seed and the instant. While the server runs, some of
them change, some are new, and some vanish from their list, as in a CRM that people
work with. The lists are /v1/accounts, /v1/contacts, /v1/deals, /v1/tasks and
/v1/appointments."""

_EPILOG: Final = """\
examples:
  python -m crm_assets.sandbox
      the default CRM; prints its URL and the two settings that lead there
  python -m crm_assets.sandbox --rows 40000 --now 2026-01-31T12:00:00Z
      a larger one that stands still: every answer is repeatable
  python -m crm_assets.sandbox --fail-status 429 --fail-rate 0.1 --retry-after 2
      one request in ten is told to come back after two seconds"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal asks for the end.

    Args:
        arguments: The command line after the program's name; that of the process if not given.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    end = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: end.set())
    try:
        faults = Faults(options.latency / 1000, options.fail_status, options.fail_rate, options.retry_after)
        with serving_sandbox(
            rows=options.rows,
            seed=options.seed,
            api_key=options.key,
            port=options.port,
            now=options.now or wall_clock,
            faults=faults,
        ) as sandbox:
            _announce(sandbox)
            while not end.wait(_WAKE):
                pass
    except (ValueError, OSError) as problem:
        parser.error(str(problem))


def _announce(sandbox: RunningSandbox) -> None:
    sys.stdout.write(
        f"{sandbox.base_url}\n"
        f"export SOURCES__CRM__BASE_URL={sandbox.base_url}\n"
        f"export SOURCES__CRM__API_KEY={sandbox.api_key}\n"
    )
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crm_assets.sandbox",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server = parser.add_argument_group("the server")
    server.add_argument("--port", type=_port, default=_DEFAULT_PORT, help="0 takes a free one (default: %(default)s)")
    server.add_argument("--key", help="the API key to ask for (default: a random one)")
    crm = parser.add_argument_group("the CRM")
    crm.add_argument(
        "--rows",
        type=int,
        default=DEFAULT_ROWS,
        help="records in all five lists together, 0 to 1000000 (default: %(default)s)",
    )
    crm.add_argument("--seed", type=int, default=DEFAULT_SEED, help="another seed makes another CRM")
    crm.add_argument(
        "--now",
        type=_instant,
        metavar="ISO",
        help="stand still at this instant from 2025 on, such as 2026-01-31T12:00:00Z (default: live on)",
    )
    faults = parser.add_argument_group("deliberate faults (none unless asked for)")
    faults.add_argument(
        "--latency",
        type=float,
        default=0,
        metavar="MS",
        help="hold every answer back so many milliseconds",
    )
    faults.add_argument(
        "--fail-rate",
        type=float,
        default=0,
        metavar="SHARE",
        help="the share of requests that fail, 0 to 1",
    )
    faults.add_argument(
        "--fail-status",
        type=int,
        default=Faults.status,
        metavar="STATUS",
        help="with this HTTP status, 400 to 599 (default: %(default)s)",
    )
    faults.add_argument(
        "--retry-after", metavar="WHEN", help="and this Retry-After: seconds or an HTTP date (default: none)"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 0 to {_HIGHEST_PORT}")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an instant such as 2026-01-31T12:00:00Z") from None


if __name__ == "__main__":
    main()
