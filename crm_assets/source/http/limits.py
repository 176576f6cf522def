"""Limits how fast requests are sent: one `Limits` for all reads of one API in this process.

It applies to every attempt, retries included. A 429 halves the window of requests in flight, and pauses all requests
for as long as the API asks.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from crm_assets.settings import CrmSettings, setting_name

MINUTE, HOUR = 60.0, 3600.0

MARGIN = 0.5
"""Seconds added to a rate's period, because requests do not arrive as evenly as they are sent."""

MIN_WAIT_TO_LOG = 5.0
"""Waits for a rate of at least this many seconds are logged."""

INTERRUPTIBLE = 0.5
"""Seconds between two checks of whether the read was closed or interrupted, while a thread waits."""


class ReadClosed(Exception):
    """The read that a request belongs to has ended."""


@dataclass
class Rate:
    """At most `requests` in any `period` (seconds)."""

    setting: str
    requests: int
    period: float

    def __post_init__(self) -> None:
        """Keeps the times of the last `requests` requests."""
        self.departures = deque[float](maxlen=self.requests)

    @property
    def whole_period(self) -> float:
        """The period with its margin."""
        return self.period + MARGIN

    def wait(self, now: float) -> float:
        """Seconds until one more request may be sent; 0 or less if it may be sent now."""
        return self.departures[0] + self.whole_period - now if len(self.departures) == self.requests else 0.0


Ledger = Callable[[Sequence[Rate]], float]
"""Counts one more request, together with those of other processes, if the rates allow it now. Returns 0, or the seconds
to wait before the next try."""


class Limits:
    """The window, the rates and the pauses. All methods may be called from any thread.

    Attributes:
        window: Requests that may be in flight now.
        rates: The rates that are set.
        ledger: Where requests are counted together with other processes; None if only those of this one count.
    """

    def __init__(self, window: int, rates: Sequence[Rate] = ()) -> None:
        """Starts with at most `window` requests in flight."""
        self.window = window
        self.rates = rates
        self.ledger: Ledger | None = None
        self._in_flight = 0
        self._not_before = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def request(self, closed: threading.Event, announce: Callable[[str], object]) -> Iterator[None]:
        """Waits until one more request may be sent. The request is in flight while the body runs.

        Args:
            closed: Ends the wait when it is set.
            announce: Called with a message if a rate makes the request wait for long.

        Raises:
            ReadClosed: `closed` was set.
        """
        with self._changed:
            is_announced = False
            while (wait := self._until_free() or self._reserve()) > 0:
                if closed.is_set():
                    raise ReadClosed
                if wait >= MIN_WAIT_TO_LOG and not is_announced:
                    is_announced = True
                    used_up = " or ".join(f"{setting_name(rate.setting)} ({rate.requests})" for rate in self.rates)
                    announce(f"{used_up} is used up: the next request is sent in {wait:,.0f} s")
                self._changed.wait(min(wait, INTERRUPTIBLE))
            self._in_flight += 1
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def _until_free(self) -> float:
        """Seconds until the window and the pauses may allow one more request: no more than `INTERRUPTIBLE`."""
        if self._in_flight >= self.window:
            return INTERRUPTIBLE  # a request that ends notifies this thread earlier
        return min(max(self._not_before - time.monotonic(), 0.0), INTERRUPTIBLE)

    def _reserve(self) -> float:
        """Counts one more request if the rates allow it now. Returns 0, or the seconds to wait before the next try."""
        if self.ledger and self.rates:
            return self.ledger(self.rates)
        now = time.monotonic()
        wait = max((rate.wait(now) for rate in self.rates), default=0.0)
        if wait <= 0:
            for rate in self.rates:
                rate.departures.append(now)
        return wait

    def halve(self) -> None:
        """Halves the window, after a 429."""
        with self._changed:
            self.window = max(1, self.window // 2)

    def pause(self, seconds: float) -> bool:
        """Pauses all requests for some seconds. Returns False if they were already paused for about as long."""
        with self._changed:
            until = time.monotonic() + seconds
            is_longer = until > self._not_before + 1
            self._not_before = max(self._not_before, until)
            return is_longer

    def count_earlier(self, sent: Iterable[tuple[float, int]]) -> None:
        """Counts requests of earlier processes, as pairs (seconds ago, number), unless this process has sent any."""
        with self._changed:
            now = time.monotonic()
            for rate in self.rates:
                if not rate.departures:
                    for seconds_ago, requests in sorted(sent, reverse=True):
                        rate.departures.extend([now - seconds_ago] * requests)


class Waits:
    """Counts each second once in which one or more threads wait.

    Attributes:
        seconds: The seconds so far.
    """

    def __init__(self) -> None:
        """Nothing waits yet."""
        self.seconds = 0.0
        self._waiting, self._changed_at = 0, 0.0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """The calling thread waits while the body runs."""
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, threads: int) -> None:
        with self._lock:
            now = time.monotonic()
            self.seconds += now - self._changed_at if self._waiting else 0.0
            self._waiting, self._changed_at = self._waiting + threads, now


def limits_of(settings: CrmSettings) -> Limits:
    """The limits that all reads of one API share, for the life of the process."""
    return _limits(settings.base_url, settings.max_in_flight, settings.requests_per_minute, settings.requests_per_hour)


@cache
def _limits(base_url: str | None, max_in_flight: int, per_minute: int | None, per_hour: int | None) -> Limits:
    del base_url  # part of the cache key: each API has its own limits
    rates = [("requests_per_minute", per_minute, MINUTE), ("requests_per_hour", per_hour, HOUR)]
    return Limits(max_in_flight, [Rate(name, requests, period) for name, requests, period in rates if requests])
