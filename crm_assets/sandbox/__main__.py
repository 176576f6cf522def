"""Serves the sandbox in the foreground: ``python -m crm_assets.sandbox``."""

import argparse
import signal
from collections.abc import Sequence
from datetime import datetime
from threading import Event
from typing import Final

from crm_assets.sandbox.server import Faults
from crm_assets.sandbox.serving import DEFAULT_ROWS, DEFAULT_SEED, serving_sandbox

_HIGHEST_PORT: Final = 65_535
_WAKE: Final = 0.5  # seconds; where signals do not end a wait, this does

_DESCRIPTION: Final = """\
Serve a CRM with generated, living records on 127.0.0.1, until Ctrl-C.

Of its records some change, some are new, and some vanish from their list while the
server runs, as in a CRM that people work with: all follows from seed and instant.
The lists are /v1/accounts, /v1/contacts, /v1/deals, /v1/tasks and /v1/appointments."""

_EPILOG: Final = """\
examples:
  python -m crm_assets.sandbox --rows 40000 --now 2026-01-31T12:00:00Z
      a larger one that stands still: every answer is repeatable
  python -m crm_assets.sandbox --unknown-fields 5 --odd-types 0.01 --side-load
      one that is as untidy as real ones are
  python -m crm_assets.sandbox --fail-status 429 --fail-rate 0.1 --retry-after 2
      one request in ten is told to come back after two seconds"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal asks for the end, as the arguments, or else the command line, say."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    latency, *fault = (options.pop(name) for name in ("latency", "fail_status", "fail_rate", "retry_after"))
    end = Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: end.set())
    try:
        with serving_sandbox(faults=Faults(latency / 1000, *fault), **options) as sandbox:
            print(sandbox.base_url)
            print(f"export SOURCES__CRM__BASE_URL={sandbox.base_url}")
            print(f"export SOURCES__CRM__API_KEY={sandbox.api_key}", flush=True)
            while not end.wait(_WAKE):
                pass
    except (ValueError, OSError) as problem:
        parser.error(str(problem))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crm_assets.sandbox",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("the server").add_argument
    add("--port", type=_port, default=8080, help="0 takes a free one (default: %(default)s)")
    add("--key", dest="api_key", help="the API key to ask for (default: a random one)")
    add = parser.add_argument_group("the CRM").add_argument
    add("--rows", type=int, default=DEFAULT_ROWS, help="records in all lists, 0 to 1000000 (default: %(default)s)")
    add("--seed", type=int, default=DEFAULT_SEED, help="another seed makes another CRM")
    add("--now", type=_instant, metavar="ISO", help="stand still at this instant from 2025 on (default: live on)")
    add = parser.add_argument_group("what real ones add (nothing unless asked for)").add_argument
    add("--unknown-fields", type=int, default=0, metavar="N", help="fields of every record that no schema declares")
    add("--odd-types", type=float, default=0, metavar="SHARE", help="records with a value of another type, 0 to 1")
    add("--side-load", action="store_true", help="arrays before the records, whatever include says")
    add = parser.add_argument_group("deliberate faults (none unless asked for)").add_argument
    add("--latency", type=float, default=0, metavar="MS", help="hold every answer back so many milliseconds")
    add("--fail-rate", type=float, default=0, metavar="SHARE", help="the share of requests that fail, 0 to 1")
    add("--fail-status", type=int, default=Faults.status, help="with this HTTP status (default: %(default)s)")
    add("--retry-after", metavar="WHEN", help="and this Retry-After: seconds or an HTTP date (default: none)")
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
