"""Print a new random key for `personal_data_key`, the key of the hashes that replace personal data.

Nothing is stored: put it into the settings, and keep a copy. With another key the same value has another hash.
"""

from argparse import Namespace
from secrets import token_urlsafe


def run(_: Namespace) -> int:
    """Prints a key of 256 random bits: 43 letters, digits, hyphens and underscores."""
    print(token_urlsafe(32))
    return 0
