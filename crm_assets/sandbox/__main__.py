"""Serve a CRM with generated records on 127.0.0.1, until Ctrl-C.

While it runs, records change, some are added and some vanish from their list,
as in a CRM in use. All of it depends only on the seed and the time. The lists
are /v1/accounts, /v1/contacts, /v1/deals, /v1/tasks and /v1/appointments.

Examples:
  python -m crm_assets.sandbox --rows 40000 --now 2026-01-31T12:00:00Z
      a larger one that never changes: every answer is repeatable
  python -m crm_assets.sandbox --unknown-fields 5 --odd-types 0.01 --side-load
      one with undeclared fields and odd types, as real ones have
  python -m crm_assets.sandbox --fail-status 429 --fail-rate 0.1 --retry-after 2
      one request in ten fails, and asks to be repeated after two seconds
"""

import argparse
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from crm_assets.sandbox.server import DEFAULT_ROWS, DEFAULT_SEED, Faults, serving_sandbox


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until a signal ends it, with these arguments or those of the command line."""
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    latency, *fault = (options.pop(name) for name in ("latency", "fail_status", "fail_rate", "retry_after"))
    for name in (signal.SIGINT, signal.SIGTERM):  # a shell may have started this with the first one ignored
        signal.signal(name, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt), serving_sandbox(faults=Faults(latency / 1000, *fault), **options) as sandbox:
            print(sandbox.base_url)
            print(f"export SOURCES__CRM__BASE_URL={sandbox.base_url}")
            print(f"export SOURCES__CRM__API_KEY={sandbox.api_key}", flush=True)
            while True:
                time.sleep(1)
    except (ValueError, OSError, OverflowError) as problem:  # the last one is about the port
        parser.error(str(problem))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m crm_assets.sandbox",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument_group("the server").add_argument
    add("--port", type=int, default=8080, help="0 takes a free one (default: %(default)s)")
    add("--key", dest="api_key", help="the required API key (default: a random one)")
    add = parser.add_argument_group("the CRM").add_argument
    add("--rows", type=int, default=DEFAULT_ROWS, help="records in all lists, 0 to 1000000 (default: %(default)s)")
    add("--seed", type=int, default=DEFAULT_SEED, help="a different seed makes a different CRM")
    add("--now", type=_instant, metavar="ISO", help="stop the clock at this time, from 2025 on (default: now)")
    add = parser.add_argument_group("what real CRMs add (default: nothing)").add_argument
    add("--unknown-fields", type=int, default=0, metavar="N", help="undeclared fields of every record")
    add("--odd-types", type=float, default=0, metavar="SHARE", help="share of records with an odd value type, 0 to 1")
    add("--side-load", action="store_true", help="side-loaded arrays in every answer, even without include")
    add = parser.add_argument_group("deliberate faults (default: none)").add_argument
    add("--latency", type=float, default=0, metavar="MS", help="milliseconds by which every answer is delayed")
    add("--fail-rate", type=float, default=0, metavar="SHARE", help="share of requests that fail, 0 to 1")
    add("--fail-status", metavar="STATUS", type=int, default=Faults.status, help="their status (default: %(default)s)")
    add("--retry-after", metavar="WHEN", help="their Retry-After: seconds or an HTTP date (default: none)")
    return parser


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-01-31T12:00:00Z") from None


if __name__ == "__main__":
    main()
