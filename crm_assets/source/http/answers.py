"""Interprets answers: whether they state an error, whether a retry can help, how long to wait, what went wrong."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from crm_assets.api import META
from crm_assets.errors import ApiError, ApiRefusal, ApiUnavailable
from crm_assets.masking import masked
from crm_assets.settings import CrmSettings, setting_name
from crm_assets.settings.secrets import url
from crm_assets.source.http.exact_json import parse_json

OK, TOO_MANY_REQUESTS, UNAVAILABLE = 200, 429, 503
REDIRECTS = frozenset({301, 302, 303, 307, 308})

TRANSIENT = frozenset({408, 425, TOO_MANY_REQUESTS, *range(500, 600)} - {501, 505})
"""Statuses that are retried: the server is busy or broken, but does not refuse the request."""

STATED_FINAL = frozenset({401, 403, 404, 422})
"""Codes of errors with status 200 that a retry cannot help. Any other code, or none, says nothing."""

BEYOND_THE_END = frozenset({204, 500, *range(400, 500)} - {401, 403, 407, 408, 425, TOO_MANY_REQUESTS})
"""Statuses of pages beyond the end of a list or a cap, of an API that served earlier ones; 204 has no content."""

EPOCH_SECONDS, EPOCH_MILLISECONDS = 1_000_000_000, 100_000_000_000
"""A rate limit's reset of at least these numbers is a Unix time, a smaller one a number of seconds from now."""

RATE_LIMITS = ("X-RateLimit", "RateLimit")
"""The beginnings of the names of rate-limit headers, old and new."""

USED_UP = re.compile(r"\b(?:r|remaining)=0\b[^\"]*?\b(?:t|reset)=([0-9]{1,15})")
"""In the header `RateLimit`, `"day";r=0;t=50` or `limit=100, remaining=0, reset=50`: the seconds until the reset."""

SECONDS = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
"""Others, such as 1e308 or inf, would be waits of any length."""

MESSAGE_LENGTH = 300
"""Characters of the API's own error message that errors show."""

ADVICE = {
    **dict.fromkeys(range(201, 300), "An answer with this status has no whole page. Check {base_url} and {endpoints}."),
    401: "Check {api_key} and, for the header it goes into, {api_key_name}.",
    403: "The user that {api_key} belongs to may not see this list.",
    404: "Check {base_url} and this resource's path in {endpoints}.",
    **dict.fromkeys([400, 422], "Check {per_page}, and this resource's path and params in {endpoints}."),
    TOO_MANY_REQUESTS: "Set {requests_per_minute} or {requests_per_hour} to what is allowed.",
}
"""Status -> what to do, with names of settings."""


ERROR_KEYS = ("errors", "error", "errormessage", "errordescription", "fault")

SUCCESS_KEYS = ("success", "ok")
CODE_KEYS = ("code", "status", "statuscode", "errorcode")
MESSAGE_KEYS = (*ERROR_KEYS, "message", "detail", "faultstring", META)
"""Keys of answers about errors, as `_fields` has them."""

FAILED = frozenset({"error", "errors", "fail", "failed", "failure", "false"})
SUCCEEDED = frozenset({"ok", "success", "successful", "succeeded", "true"})
NOTHING = frozenset({"", "0", "false", "none", "null", "ok", "success", "no error", "no errors"})
"""Texts of an `error` that say that there is none."""

A_CODE = re.compile("-?[0-9]{1,5}")

FIRST_CODE, FIRST_OWN_CODE = 400, 600
"""The smallest code of an error, and of those beyond HTTP's that an API has of its own, which may mean success."""


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Attributes:
        status: The status, or the one that an error in a body with status 200 stands for.
        seconds: From sending the request until the last byte.
        body: The parsed content of an answer with status 200.
        stated: What the API stated with status 200, if it was an error.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    seconds: float = 0.0
    body: Any = None
    stated: str = ""

    @property
    def transient(self) -> bool:
        """Whether a retry can help."""
        return self.status in TRANSIENT or (bool(self.stated) and self.status not in STATED_FINAL)

    @property
    def described(self) -> str:
        """The status, for messages."""
        return self.stated or f"status {self.status}"

    @property
    def retry_after(self) -> float | None:
        """Seconds that the API asks to wait; None if it does not."""
        after = seconds_until(self.headers, "Retry-After")
        if after is None and self.status == TOO_MANY_REQUESTS:
            return max(filter(None, self._resets), default=None)
        return after

    @property
    def until_reset(self) -> float:
        """Seconds until the API's rate limits allow the next request."""
        return max((reset or self.retry_after or 1.0 for reset in self._resets), default=0.0)

    @property
    def _resets(self) -> list[float | None]:
        """Seconds until the reset of each rate limit that is used up; None if the API does not say."""
        resets: list[float | None] = [float(reset) for reset in USED_UP.findall(self.headers.get("RateLimit", ""))]
        used_up = [name for name in RATE_LIMITS if self.headers.get(f"{name}-Remaining", "").strip() == "0"]
        return resets + [seconds_until(self.headers, f"{name}-Reset") for name in used_up]


def http_date(text: str | None) -> datetime | None:
    """A time in a header, UTC; None if it is missing or cannot be read."""
    # In the oldest of the three formats of HTTP it has no time zone.
    try:
        at = parsedate_to_datetime(text or "")
        return at.replace(tzinfo=at.tzinfo or timezone.utc).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def seconds_until(headers: Mapping[str, str], name: str) -> float | None:
    """Seconds to wait, from a `Retry-After` (seconds or an HTTP date) or a rate limit's reset (also a Unix time).

    Times are compared with the API's own time, if the answer has it. None if the header is missing or cannot be read.
    """
    header = (headers.get(name) or "").strip()
    if SECONDS.fullmatch(header):
        seconds = float(header)
        seconds /= 1000 if seconds >= EPOCH_MILLISECONDS else 1
    else:
        at = http_date(header)
        if at is None:
            return None
        seconds = max(EPOCH_SECONDS, at.timestamp())
    if seconds >= EPOCH_SECONDS:
        answered = http_date(headers.get("Date"))
        seconds -= answered.timestamp() if answered else time.time()
    return max(0.0, seconds)


def with_stated_error(answer: Answer, body: Any, data_selector: str, per_page: int) -> Answer:
    """An answer with status 200 and its parsed body; with the status of the error that the body states, if any."""
    code = stated_error(body, data_selector, per_page)
    if code is None:
        return replace(answer, body=body)
    status = code if FIRST_CODE <= code < FIRST_OWN_CODE else UNAVAILABLE
    return replace(answer, status=status, stated=f"status 200 with an error{f' of code {code}' if code else ''}")


def stated_error(body: Any, data_selector: str, per_page: int) -> int | None:
    """The code of the error that a body with status 200 states.

    A list as long as was asked for is whole, whatever else the answer says.

    Args:
        body: The parsed answer.
        data_selector: The key of the list.
        per_page: How many records were asked for.

    Returns:
        A number of at least 400; 0 for an error without a code; None if the body states no error.
    """
    records = body.get(data_selector) if isinstance(body, dict) else None
    if not isinstance(body, dict) or (isinstance(records, list) and len(records) >= per_page):
        return None
    code = max(_codes(body), default=0)
    failed = code >= FIRST_CODE or any(
        _word(part, "status") in FAILED
        or any(_word(part, key) in FAILED | {"0"} for key in SUCCESS_KEYS)
        or any(_is_error(part.get(key)) for key in ERROR_KEYS)
        for part in (_fields(body), _fields(body.get(META)))
    )
    return (code if code >= FIRST_CODE else 0) if failed else None


def _fields(body: Any) -> dict[str, Any]:
    """An object's values by names that are the same in each spelling: `error_code`, `errorCode` and `ErrorCode`."""
    return {key.replace("_", "").lower(): value for key, value in body.items()} if isinstance(body, dict) else {}


def _codes(body: Any) -> Iterator[int]:
    """The numbers under `code` and its like, also within errors and `meta`; 0 for an API's own code of success."""
    for part in body if isinstance(body, list) else ():
        yield from _codes(part)
    if fields := _fields(body):
        is_success = any(_word(fields, key) in SUCCEEDED for key in (*SUCCESS_KEYS, "status", "message"))
        for key in CODE_KEYS:
            if A_CODE.fullmatch(_word(fields, key)):
                code = int(_word(fields, key))
                yield 0 if is_success and code >= FIRST_OWN_CODE else code
        for key in (*ERROR_KEYS, "status", META):
            yield from _codes(fields.get(key))


def _word(fields: dict[str, Any], key: str) -> str:
    """The text, number or boolean under a key, in lower case."""
    value = fields.get(key)
    return str(value).strip().lower() if isinstance(value, (str, int)) else ""


def _is_error(value: Any) -> bool:
    """Whether the value of `error` or `errors` is one: not empty at any depth, and without a code of success."""
    if isinstance(value, dict):
        codes = list(_codes(value))
        return any(map(_is_error, value.values())) and not (codes and max(codes) < FIRST_CODE)
    if isinstance(value, list):
        return any(map(_is_error, value))
    return value.strip().lower() not in NOTHING if isinstance(value, str) else bool(value)


def status_error(where: str, answer: Answer, *, show_message: bool) -> ApiError:
    """The error for a status other than 200, after the last retry.

    Args:
        where: The resource and the page.
        answer: The last answer.
        show_message: Whether to show the API's own message: free text, which may name a person.
    """
    message = api_message(answer.content) if show_message else ""
    text = f"{where}: {answer.described}{f', {message!r}' if message else ''}."
    advice = ADVICE.get(answer.status, "").format_map({name: setting_name(name) for name in CrmSettings.model_fields})
    if answer.status in TRANSIENT:
        return ApiUnavailable(f"{text} {advice or 'The API is busy or out of order, which may pass'}")
    if answer.status in REDIRECTS:
        # Masked first: a name of a host is shown in lower case, and cut.
        target = urlsplit(url(masked(answer.headers.get("Location", ""))).shown).netloc or "another path"
        return ApiRefusal(
            f"{text} A redirect to {target[:100]} is not followed, since it would get the key; set "
            f"{setting_name('base_url')}, and this resource's path in {setting_name('endpoints')}, to the address that "
            "the API itself has"
        )
    return ApiRefusal(f"{text} {advice or 'The API refuses this request.'}")


def wait_too_long(answer: Answer, longest: float) -> ApiRefusal:
    """The error for an API that asks to wait for more than `longest` seconds."""
    return ApiRefusal(
        f"{answer.described}, and the API asks to wait {answer.retry_after:,.0f} s, longer than "
        f"{setting_name('request_max_wait')} ({longest:,.0f} s) allows. Run it again later, or raise the setting"
    )


def api_message(content: bytes) -> str:
    """The API's own message in an error's body, in any known form; empty if there is none."""
    try:
        body = parse_json(content)
    except ValueError:
        return ""
    message = "; ".join(dict.fromkeys(_texts(body if isinstance(body, dict) else None)))
    return masked(message)[:MESSAGE_LENGTH]  # a key that was cut could not be masked


def _texts(body: Any) -> Iterator[str]:
    """The messages of an error's body, in any known form."""
    if isinstance(body, str):
        yield body
    for part in body if isinstance(body, list) else filter(None, map(_fields(body).get, MESSAGE_KEYS)):
        yield from _texts(part)
