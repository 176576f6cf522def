"""Interprets answers: whether a retry can help, how long to wait before it, and what went wrong."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from crm_assets.errors import ApiError, ApiRefusal, ApiUnavailable
from crm_assets.masking import masked
from crm_assets.settings import CrmSettings, setting_name
from crm_assets.settings.secrets import url
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.http.request_errors import FIRST_CODE, stated_error, texts

OK, TOO_MANY_REQUESTS, UNAVAILABLE, LAST_STATUS = 200, 429, 503, 599
REDIRECTS = frozenset({301, 302, 303, 307, 308})

TRANSIENT = frozenset({408, 425, TOO_MANY_REQUESTS, *range(500, 600)} - {501, 505})
"""Statuses that are retried: the server is busy or broken, but does not refuse the request."""

STATED_FINAL = frozenset({401, 403, 404, 422})
"""Codes of errors with status 200 that a retry cannot help. Any other code, or none, says nothing."""

BEYOND_THE_END = frozenset({204, 400, 404, 416, 422, 500})
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
    401: "Check {api_key} and, for the header it goes into, {api_key_name}.",
    403: "The user that {api_key} belongs to may not see this list.",
    404: "Check {base_url} and this resource's path in {endpoints}.",
    422: "Check this resource's params in {endpoints}.",
    TOO_MANY_REQUESTS: "Set {requests_per_minute} or {requests_per_hour} to what is allowed.",
}
"""Status -> what to do, with names of settings."""


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


def answered_at(headers: Mapping[str, str]) -> datetime | None:
    """The API's own time of an answer, UTC, from the header `Date`; None if it is missing or cannot be read."""
    return _http_date(headers.get("Date", ""))


def _http_date(text: str) -> datetime | None:
    # In the oldest of the three formats of HTTP it has no time zone.
    try:
        at = parsedate_to_datetime(text)
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
        at = _http_date(header)
        if at is None:
            return None
        seconds = max(EPOCH_SECONDS, at.timestamp())
    if seconds >= EPOCH_SECONDS:
        answered = answered_at(headers)
        seconds -= answered.timestamp() if answered else time.time()
    return max(0.0, seconds)


def with_stated_error(answer: Answer, body: Any, data_selector: str, per_page: int) -> Answer:
    """An answer with status 200 and its parsed body; with the status of the error that the body states, if any."""
    code = stated_error(body, data_selector, per_page)
    if code is None:
        return replace(answer, body=body)
    status = code if FIRST_CODE <= code <= LAST_STATUS else UNAVAILABLE
    return replace(answer, status=status, stated=f"status 200 with an error{f' of code {code}' if code else ''}")


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
    if answer.transient:
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
    message = "; ".join(dict.fromkeys(texts(body if isinstance(body, dict) else None)))
    return masked(message)[:MESSAGE_LENGTH]  # a key that was cut could not be masked
