"""What an answer says: a page of records, or an error. Messages show nothing of a record."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import orjson
from requests import Response
from requests.exceptions import Timeout

from crm_assets.source.errors import ApiRefusal, ApiUnavailable, BadAnswer, SourceError
from crm_assets.source.settings import setting_name

ALIKE = bytes(
    ord("0" if chr(code) in "-.0123456789" else " " if chr(code) in " \t\r\n:,[" else "x") for code in range(256)
)
LONG_NUMBER = b" " + b"0" * 20
"""A number that may not fit 64 bits, whole or broken, where JSON can have one, in bytes translated by `ALIKE`. Most
runs of digits are within a token or an address."""

MOST_DIGITS = 1000
"""Of an integer; beyond some thousands Python refuses to read one."""

ESCAPE = re.compile(
    rb"(\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\[^u])|\\u[dD][89a-fA-F]..|((?:\xed[\xa0-\xbf].)+)", re.DOTALL
)
"""What is well escaped, half a surrogate pair that stands alone, and surrogates that are encoded as if characters."""

MESSAGE_LENGTH = 300
"""Characters of the API's own error message that are passed on."""

ADVICE = {
    401: f"Check {setting_name('api_key')} and, for the header it goes into, {setting_name('api_key_name')}.",
    403: f"The user that {setting_name('api_key')} belongs to may not see this list.",
    404: f"Check {setting_name('base_url')} and this resource's path in {setting_name('endpoints')}.",
    422: f"Check this resource's params in {setting_name('endpoints')}.",
}


def page_body(where: str, response: Response, data_selector: str) -> dict[str, Any]:
    """The answer's JSON object, in which `data_selector` is an array.

    Raises:
        BadAnswer: The body is anything else. The message tells what it is, and shows nothing of it.
    """
    try:
        body = parse_json(response.content)
    except RecursionError:
        raise BadAnswer(f"{where}: status 200, but the answer is nested more deeply than can be read") from None
    except ValueError:
        kind = response.headers.get("Content-Type", "no content type").split(";")[0][:60]
        raise BadAnswer(
            f"{where}: status 200, but the body ({len(response.content)} bytes, {kind}) is not JSON. "
            f"Is {setting_name('base_url')} the API's address, and not that of its web pages?"
        ) from None
    if not isinstance(body, dict) or data_selector not in body:
        keys = ", ".join(sorted(map(repr, body))[:5])[:MESSAGE_LENGTH] if isinstance(body, dict) else "no object"
        raise BadAnswer(
            f"{where}: status 200, but the answer has no {data_selector!r} (it has {keys or 'nothing'}). "
            f"Check this resource's path in {setting_name('endpoints')}"
        )
    if not isinstance(body[data_selector], list):
        raise BadAnswer(f"{where}: {data_selector!r} is no array of records but {type(body[data_selector]).__name__}")
    return body


def parse_json(content: bytes) -> Any:
    """Parses JSON without loss.

    Numbers that do not fit orjson's 64-bit integers and floats take the standard library's way, and so do NaN and lone
    surrogates, which orjson refuses and APIs have been seen to send. What no number of Python's holds stays the text
    that it was written as.

    Raises:
        ValueError: The content is not JSON.
        RecursionError: Arrays or objects are nested more than some hundred levels deep.
    """
    # Long numbers are looked for in a copy with all digits alike: ten times as fast as a regular expression.
    alike = content.translate(ALIKE)
    if LONG_NUMBER not in alike and not alike.startswith(LONG_NUMBER.lstrip()):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    content = ESCAPE.sub(_whole_characters, content)
    return json.loads(content, parse_constant=str, parse_int=_integer, parse_float=_float)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MOST_DIGITS else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    with suppress(InvalidOperation):  # an exponent of many digits
        if Decimal(repr(number)) == Decimal(digits):
            return number
    return digits


def _whole_characters(escape: re.Match[bytes]) -> bytes:
    """Replaces half a surrogate pair, as it stands for no character, and no text on disk can hold it."""
    if escape[1]:
        return escape[1]
    halves = (escape[2] or b"").decode("utf-8", "surrogatepass").encode("utf-16-le", "surrogatepass")
    return halves.decode("utf-16-le", "replace").encode() or "\N{REPLACEMENT CHARACTER}".encode()


def connection_problem(error: Exception) -> str:
    """What a request without an answer means, for messages."""
    if isinstance(error, Timeout):
        return "no answer in time, with every retry"
    return f"the connection failed, with every retry ({type(error).__name__}); check {setting_name('base_url')}"


def status_error(where: str, response: Response, *, retried: bool) -> SourceError:
    """The error for a status that is not 200. `retried` tells whether it stayed so through all retries."""
    status = response.status_code
    said = api_message(response)
    text = f"{where}: status {status}{f', {said!r}' if said else ''}."
    if retried:
        return ApiUnavailable(f"{text} It stayed so with every retry")
    if response.is_redirect:
        target = urlsplit(response.headers.get("Location", "")).netloc or "another path"
        return ApiRefusal(
            f"{text} A redirect to {target[:100]} is not followed, as the key would go along; set "
            f"{setting_name('base_url')} to the address that the API itself has"
        )
    return ApiRefusal(f"{text} {ADVICE.get(status, 'The API refuses this request.')}")


def api_message(response: Response) -> str:
    """The message in an error's body, in any of the forms seen; empty when there is none (HTML, nothing)."""
    try:
        body = orjson.loads(response.content)
    except ValueError:
        return ""
    errors = body.get("errors", body) if isinstance(body, Mapping) else None
    message = errors.get("message") if isinstance(errors, Mapping) else errors
    texts = message if isinstance(message, list) else [message]
    return "; ".join(text for text in texts if isinstance(text, str))[:MESSAGE_LENGTH]


def page_total(response: Response) -> int | None:
    """The API's own count of the list's records (`meta.total`), or None when the answer does not tell."""
    meta = response.json().get("meta")
    total = meta.get("total") if isinstance(meta, dict) else None
    if isinstance(total, str) and total.isdecimal():
        total = int(total)
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
