"""Masks configured secrets in every text that leaves the process: log records, errors, alerts, output of commands.

Settings tell `know` their secrets when they are read. A secret of fewer than four characters cannot be masked, since it
would be found in ordinary words; one of up to seven letters and digits is masked as a whole word only.
"""

import io
import logging
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, partial
from html.entities import html5
from types import MappingProxyType
from typing import Any, TextIO

MASK = "***"
SHORTEST, ANYWHERE = 4, 8
"""Characters from which a secret is masked as a whole word, and anywhere."""

PARTS = re.compile(r"\\+|[^\\]", re.DOTALL)
CONTROLS: Mapping[str, str] = MappingProxyType({"\n": "n", "\r": "r", "\t": "t"})
QUOTES = "'\""
WORD_BEGINS = (
    r"(?:(?<!\w)|(?<=%[\da-fA-F]{2})|(?<=%25[\da-fA-F]{2})|(?<=\\u[\da-fA-F]{4})|(?<=\\x[\da-fA-F]{2})|(?<=\\[nrt]))"
)
"""Also after an escaped character, such as %3D, %253D, \\u003d and \\n."""

WORD_ENDS = r"(?!\w)"

HEX = re.compile(r"[\da-f-]+", re.IGNORECASE)
"""Such a secret, for example a UUID, is the same in capitals."""

BACKSLASHES = r"(?:(?<!\\)\\+)?"
"""As many as there are, from the first one only: a search from each of them would take the square of their number."""

_known: dict[str, frozenset[str]] = {}


def know(owner: str, secrets: Iterable[str]) -> None:
    """Masks these secrets from now on, in place of the earlier ones of `owner`."""
    _known[owner] = frozenset(secrets)


def masked(text: str, secrets: Collection[str] = ()) -> str:
    """A text without the known secrets and those in `secrets`, in any of their usual spellings."""
    found = frozenset(secrets).union(*_known.values())
    return _pattern(found).sub(MASK, text) if found else text


def mask_log_records() -> None:
    """Masks all log records that are made from now on, of any library."""
    make = logging.getLogRecordFactory()
    if not (isinstance(make, partial) and make.func is _masked_record):
        logging.setLogRecordFactory(partial(_masked_record, make))


class MaskedStream(io.TextIOBase):
    """A text stream whose output is masked, such as standard output."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to another stream."""
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Writes a text without secrets."""
        return self._stream.write(masked(text))

    def flush(self) -> None:
        """Flushes the other stream, unless it was closed before: Python flushes this one once more at its end."""
        if not self._stream.closed:
            self._stream.flush()

    def isatty(self) -> bool:
        """Whether the other stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The other stream's descriptor."""
        return self._stream.fileno()


def _masked_record(make: Callable[..., logging.LogRecord], *args: Any, **kwargs: Any) -> logging.LogRecord:
    """A log record whose message and traceback are masked."""
    record = make(*args, **kwargs)
    try:
        text = record.getMessage()
    except (TypeError, ValueError):  # logging reports it when the record is formatted
        return record
    if (shown := masked(text)) != text:
        record.msg, record.args = shown, ()
    if record.exc_info:
        record.exc_text = masked(logging.Formatter().formatException(record.exc_info))
    return record


@cache
def _pattern(secrets: frozenset[str]) -> re.Pattern[str]:
    # Some programs remove blanks and line breaks at both ends.
    known = {text for secret in secrets for text in (secret, secret.strip()) if len(text) >= SHORTEST}
    spelled = (_spelled(secret) for secret in sorted(known, key=len, reverse=True))
    return re.compile("|".join(spelled) or r"(?!)")


def _spelled(secret: str) -> str:
    """The spellings of a secret as a pattern: each character as it is or escaped, at any depth; all in Base64, hex."""
    text = "".join(map(_part, PARTS.findall(secret)))
    if HEX.fullmatch(secret):
        text = f"(?i:{text})"
    whole_word = secret.isalnum() and len(secret) < ANYWHERE
    in_hex = f"(?i:{secret.encode(errors='surrogatepass').hex()})"
    units = (secret.encode(encoding, "surrogatepass") for encoding in ("utf-8", "utf-16-le", "utf-16-be"))
    encoded = (_in_base64(data, before) for data in units for before in range(3))
    return "|".join([f"{WORD_BEGINS}{text}{WORD_ENDS}" if whole_word else text, in_hex, *filter(None, encoded)])


def _part(text: str) -> str:
    """The spellings of a character or of several backslashes: in URLs, JSON, Python, SQL, and HTML."""
    character = text[0]
    if character == "\\":
        return rf"(?:(?<!\\)\\{{{len(text)},}}|{_escaped(character)}{{{len(text)}}})"
    if character.isalnum() and character.isascii():
        return character
    twice = "{1,2}" if character in QUOTES else r"|\+" if character == " " else ""
    return rf"(?:{_escaped(character)}|{BACKSLASHES}{re.escape(character)}{twice})"


def _escaped(character: str) -> str:
    code, data = ord(character), character.encode(errors="surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    names = [name.rstrip(";") for name, text in html5.items() if text == character]
    after_backslashes = [
        r"\\+".join(f"x{byte:02x}" for byte in data),
        f"x{code:02x}|U{code:08x}",
        r"\\+".join(f"u{units[start : start + 4]}" for start in range(0, len(units), 4)),
        *CONTROLS.get(character, ""),
    ]
    spellings = [
        "".join(f"%(?:25)*{byte:02x}" for byte in data),
        f"&(?:amp;)*(?:{'|'.join([f'#0*{code}', f'#x0*{code:x}', *names])});",
        # Those of a backslash before it may have been taken for its own.
        rf"(?:(?<!\\)\\+|(?<=\\))(?:{'|'.join(after_backslashes)})",
    ]
    return f"(?i:{'|'.join(spellings)})"


def _in_base64(secret: bytes, before: int) -> str:
    """What Base64 has of a secret alone, with `before` bytes before it in a group of three. Empty if that is short."""
    data = bytes(before) + secret
    whole = b64encode(data).decode().rstrip("=")[before and before + 1 :]
    sure, last = (whole, "") if len(data) % 3 == 0 else (whole[:-1], r"[\w+/-]?=*")
    if len(sure) < ANYWHERE:
        return "" if before else f"{WORD_BEGINS}{re.escape(whole)}{WORD_ENDS}"
    return sure.replace("+", "[+-]").replace("/", r"(?:\\*/|_)") + last
