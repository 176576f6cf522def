"""The question of commands that destroy data."""

import sys

from crm_assets.errors import CrmAssetsError


def is_confirmed(question: str) -> bool:
    """Asks in the terminal. Anything but yes is no.

    Raises:
        CrmAssetsError: There is no terminal to ask in.
    """
    if not sys.stdin.isatty():
        raise CrmAssetsError(
            "Nothing was changed, as there is no terminal to ask in: add --yes to do this without a question"
        )
    print(f"{question} [y/N] ", end="", flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
