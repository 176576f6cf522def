"""When requests may leave: one `Limits` for all reads of one API in this process.

It holds back every attempt, retries included. A 429 halves the window of requests in flight, and pauses all requests
until the time that the API names.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from crm_assets.settings import CrmSettings, setting_name

MINUTE, HOUR = 60.0, 3600.0

MARGIN = 0.5
"""Seconds added to a rate's period, because requests do not arrive as evenly as they leave."""

WORTH_A_MESSAGE = 5.0
"""Seconds of waiting for a rate after which the log says so."""

INTERRUPTIBLE = 0.5
"""Seconds between two looks at whether the read was closed or interrupted, while a thread waits."""


class ReadClosed(Exception):
    """The read that a request belongs to has ended."""


@dataclass
class Rate:
    """At most `requests` in any `period` (seconds)."""

    setting: str
    requests: int
    period: float

    def __post_init__(self) -> None:
        """Remembers when requests left: only the last ones that the rate allows together count."""
        self.departures = deque[float](maxlen=self.requests)

    @property
    def whole_period(self) -> float:
        """The period with its margin."""
        return self.period + MARGIN

    def wait(self, now: float) -> float:
        """Seconds until one more request may leave; 0 or less when it may at once."""
        return self.departures[0] + self.whole_period - now if len(self.departures) == self.requests else 0.0


class Ledger(Protocol):
    """Where several processes count their requests together."""

    def reserve(self, rates: Sequence[Rate], /) -> float:
        """Notes one more request, if the rates allow it now. Returns 0, or the seconds to wait before asking again."""


class Limits:
    """The window, the rates and the pauses. All methods may be called from any thread.

    Attributes:
        window: Requests that may be in flight now.
    """

    def __init__(self, window: int, rates: Sequence[Rate] = ()) -> None:
        """Has at most `window` requests in flight."""
        self.window = window
        self._rates = rates
        self._ledger: Ledger | None = None
        self._in_flight = 0
        self._not_before = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def request(self, closed: threading.Event, announce: Callable[[str], object]) -> Iterator[None]:
        """Waits until one more request may leave. The request is in flight while the body runs.

        Args:
            closed: Ends the waiting once it is set.
            announce: Called with a sentence when a rate makes the request wait for long.

        Raises:
            ReadClosed: `closed` was set.
        """
        with self._changed:
            announced = ""
            while (wait := self._wait()) > 0:
                if closed.is_set():
                    raise ReadClosed
                used_up = next((rate for rate in self._rates if rate.wait(time.monotonic()) >= WORTH_A_MESSAGE), None)
                if used_up and not announced:
                    announced = f"{setting_name(used_up.setting)} ({used_up.requests}) is used up"
                    announce(f"{announced}: the next request leaves in {wait:,.0f} s")
                self._changed.wait(min(wait, INTERRUPTIBLE))
            self._in_flight += 1
            for rate in self._rates:
                rate.departures.append(time.monotonic())
            self._changed.notify()
        try:
            self._reserve(closed, announce)
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def _wait(self) -> float:
        """Seconds until a request may leave, by what is known now."""
        if self._in_flight >= self.window:
            return INTERRUPTIBLE  # whoever comes back wakes us
        now = time.monotonic()
        return max(self._not_before - now, 0.0, *(rate.wait(now) for rate in self._rates))

    def _reserve(self, closed: threading.Event, announce: Callable[[str], object]) -> None:
        """Waits until the rates allow one more request of all processes together."""
        announced = False
        while self._ledger and self._rates and (wait := self._ledger.reserve(self._rates)) > 0:
            if wait >= WORTH_A_MESSAGE and not announced:
                announced = True
                announce(f"The rate of all processes is used up: the next request leaves in {wait:,.0f} s")
            if closed.wait(min(wait, INTERRUPTIBLE)):
                raise ReadClosed

    def share(self, ledger: Ledger | None) -> None:
        """Counts requests together with other processes from now on, or no longer."""
        self._ledger = ledger

    def halve(self) -> None:
        """Halves the window, after a 429."""
        with self._changed:
            self.window = max(1, self.window // 2)

    def pause(self, seconds: float) -> bool:
        """Pauses all requests for some seconds. Returns False if they were paused about as long already."""
        with self._changed:
            until = time.monotonic() + seconds
            news = until > self._not_before + 1
            self._not_before = max(self._not_before, until)
            return news

    def count_earlier(self, sent: Iterable[tuple[float, int]]) -> None:
        """Counts requests of earlier processes, unless this one has sent any: how many seconds ago, and how many."""
        with self._changed:
            now = time.monotonic()
            for rate in self._rates:
                if not rate.departures:
                    for seconds_ago, requests in sorted(sent, reverse=True):
                        rate.departures.extend([now - seconds_ago] * requests)


def limits_of(settings: CrmSettings) -> Limits:
    """The limits that all reads of one API share, as long as the process runs."""
    return _limits(settings.base_url, settings.max_in_flight, settings.requests_per_minute, settings.requests_per_hour)


@cache
def _limits(base_url: str | None, max_in_flight: int, per_minute: int | None, per_hour: int | None) -> Limits:
    del base_url  # tells one API from another
    rates = [("requests_per_minute", per_minute, MINUTE), ("requests_per_hour", per_hour, HOUR)]
    return Limits(max_in_flight, [Rate(name, requests, period) for name, requests, period in rates if requests])
