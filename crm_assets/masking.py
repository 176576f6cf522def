"""Masks configured secrets in every text that leaves the process: log records, errors, alerts, output of commands.

Settings tell `know` their secrets when they are read. A secret of fewer than four characters cannot be masked, since it
would be found in ordinary words; one of up to seven letters and digits is masked as a whole word only.
"""

import html
import io
import json
import logging
import re
from base64 import b64encode
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST, ANYWHERE = 4, 8
"""Characters from which a secret is masked as a whole word, and anywhere."""

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
    if not isinstance(make, _MaskedRecords):
        logging.setLogRecordFactory(_MaskedRecords(make))


class MaskedStream(io.TextIOBase):
    """A text stream whose output is masked, such as standard output."""

    def __init__(self, stream: TextIO) -> None:
        """Writes to another stream."""
        self._stream = stream

    def write(self, text: str, /) -> int:
        """Writes a text without secrets."""
        return self._stream.write(masked(text))

    def flush(self) -> None:
        """Flushes the other stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether the other stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The other stream's descriptor."""
        return self._stream.fileno()


class _MaskedRecords:
    """Makes log records whose message and traceback are masked."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._make(*args, **kwargs)
        text = str(record.msg)
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
    forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
    return re.compile("|".join(map(_bounded, sorted(forms, key=len, reverse=True))) or r"(?!)")


def _bounded(form: str) -> str:
    return re.escape(form) if len(form) >= ANYWHERE or not form.isalnum() else rf"(?<!\w){re.escape(form)}(?!\w)"


def _forms(secret: str) -> set[str]:
    """The spellings of a secret: in URLs, JSON, Python, SQL, PostgreSQL's connection strings, HTML, and Base64."""
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), text) for text in quoted}
    encoded = b64encode(secret.encode()).decode()
    return {
        secret,
        *quoted,
        *lower,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        repr(secret)[1:-1],
        secret.replace("'", "''"),
        secret.replace("\\", "\\\\").replace("'", "\\'"),
        secret.replace("\\", "\\\\"),
        html.escape(secret),
        html.escape(secret, quote=False),
        encoded,
        encoded.rstrip("="),
    }
