"""HTTP to the CRM: dlt's requests client with the retries that are wanted, counted, and answers checked for sense.

The session knows one resource; `rest_api` uses it like any other requests session.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from dlt.sources.helpers.requests import Client
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectionError, ContentDecodingError, RequestException, Timeout

from crm_assets.source.errors import ApiRefusal, ApiUnavailable, BadAnswer
from crm_assets.source.report import ReadReport
from crm_assets.source.settings import CrmSettings, setting_name

RETRIED_STATUS = (429, 500, 502, 503, 504)
RETRIED_EXCEPTIONS = (ConnectionError, Timeout, ChunkedEncodingError)
MESSAGE_LENGTH = 300
"""Characters of the API's own error message that are passed on."""

ADVICE = {
    401: f"Check {setting_name('api_key')} and, for the header it goes into, {setting_name('api_key_name')}.",
    403: f"The user that {setting_name('api_key')} belongs to may not see this list.",
    404: f"Check {setting_name('base_url')} and this resource's path in {setting_name('endpoints')}.",
    422: f"Check this resource's params in {setting_name('endpoints')}.",
}


class CountingAdapter(HTTPAdapter):
    """Counts requests and retries into the read's report. A retry sends the same prepared request again."""

    def __init__(self, report: ReadReport, pool_size: int) -> None:
        """Keeps up to `pool_size` connections open."""
        super().__init__(pool_connections=1, pool_maxsize=pool_size)
        self._report = report

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Sends once, and counts it."""
        self._report.requests += 1
        self._report.retries += hasattr(request, "was_sent")
        request.was_sent = True  # type: ignore[attr-defined]
        return super().send(request, *args, **kwargs)


class PageSession(Session):
    """A requests session whose answers are pages of one resource, or errors that say what is wrong.

    Retries 429, 500, 502, 503, 504, dropped connections and time-outs as the settings say, waiting as long as
    `Retry-After` asks or exponentially. Never follows a redirect: the key would go along.
    """

    def __init__(self, settings: CrmSettings, resource: str, data_selector: str, report: ReadReport) -> None:
        """Opens no connection yet."""
        super().__init__()
        self._resource = resource
        self._data_selector = data_selector
        self._client = Client(
            raise_for_status=False,
            status_codes=RETRIED_STATUS,
            exceptions=RETRIED_EXCEPTIONS,
            request_max_attempts=settings.request_max_attempts,
            request_backoff_factor=settings.request_backoff_factor,
        )
        self._client._adapter = CountingAdapter(report, settings.max_in_flight)

    def __deepcopy__(self, memo: dict[int, Any]) -> "PageSession":
        """Stays itself: rest_api copies its configuration to validate it."""
        return self

    def send(self, request: PreparedRequest, **kwargs: Any) -> Response:
        """Sends with retries and returns an answer that holds a page.

        Raises:
            ApiUnavailable: Still failing after all retries.
            ApiRefusal: Any other status but 200.
            BadAnswer: Status 200 with a body that is no page of this resource.
        """
        where = f"{self._resource}, page {page_number(request)}"
        try:
            response = self._client.session.send(request, allow_redirects=False, **kwargs)
        except ContentDecodingError:
            raise BadAnswer(f"{where}: the answer's body is not what its Content-Encoding says") from None
        except RETRIED_EXCEPTIONS as error:
            raise ApiUnavailable(f"{where}: {_connection_problem(error)}") from None
        except RequestException as error:
            raise ApiRefusal(f"{where}: the request could not be sent ({type(error).__name__})") from None
        if response.status_code != 200:
            raise _status_error(where, response)
        body = page_body(where, response, self._data_selector)
        response.json = lambda **_: body  # type: ignore[method-assign]  # parsed once, read by paginator and selector
        return response


def page_number(request: PreparedRequest) -> str:
    """The page that a request asks for, as text for messages."""
    return parse_qs(urlsplit(request.url or "").query).get("page", ["?"])[0]


def page_body(where: str, response: Response, data_selector: str) -> dict[str, Any]:
    """The answer's JSON object, in which `data_selector` is an array.

    Raises:
        BadAnswer: The body is anything else. The message tells what it is, and shows nothing of it.
    """
    try:
        body = parse_json(response.content)
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

    Numbers that do not fit orjson's 64-bit integers take the standard library's way, and so do NaN and lone surrogates,
    which orjson refuses and APIs have been seen to send.

    Raises:
        ValueError: The content is not JSON.
    """
    if not _LONG_NUMBER.search(content):
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
    return json.loads(content)


_LONG_NUMBER = re.compile(rb"\d{20}")


def _connection_problem(error: Exception) -> str:
    if isinstance(error, Timeout):
        return "no answer in time, with every retry"
    return f"the connection failed, with every retry ({type(error).__name__}); check {setting_name('base_url')}"


def _status_error(where: str, response: Response) -> Exception:
    status = response.status_code
    said = api_message(response)
    text = f"{where}: status {status}{f', {said!r}' if said else ''}."
    if status in RETRIED_STATUS:
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
