"""How fast requests may leave: one control for all reads of this process against one API.

Every attempt passes here, retries included. The window of requests in flight starts small, grows whenever a page had
to be waited for, and is halved by a 429, which also stops everybody until the API says that it may go on.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cache
from itertools import count

MINUTE = 60.5
"""Seconds in which `requests_per_minute` may leave: half a second over a minute, for what the network adds."""

LEAVING = 0.002
"""Seconds that one request may take to be written before the next may leave all the same."""

MAX_PAUSE = 300.0
"""Seconds that an API can make us wait at most with one answer."""

EPOCH_SECONDS = 1_000_000_000
"""A rate limit's reset of at least this many seconds is an instant, a smaller one a duration."""


class Traffic:
    """The window, the rate and the pauses. All methods may be called from any thread."""

    def __init__(self, max_in_flight: int, requests_per_minute: int | None) -> None:
        """Starts with a window of two."""
        self._max_in_flight = max_in_flight
        self._requests_per_minute = requests_per_minute
        self._window = min(2.0, max_in_flight)
        self._throttled = False
        self._in_flight = 0
        self._leaving: int | None = None
        self._not_before = 0.0
        self._departures: deque[float] = deque(maxlen=requests_per_minute or 1)
        self._places = count()
        self._lock = threading.Lock()
        self._queue: dict[int, threading.Condition] = {}

    @property
    def window(self) -> int:
        """How many requests may be in flight now."""
        return int(self._window)

    def take_place(self) -> int:
        """A place in the queue: whoever took one earlier leaves earlier, however long its thread takes to come."""
        with self._lock:
            place = next(self._places)
            self._queue[place] = threading.Condition(self._lock)
            return place

    def give_up(self, place: int) -> None:
        """Gives a place back, if it was not used."""
        with self._lock:
            self._queue.pop(place, None)
            self._wake_first()

    @contextmanager
    def passage(self, place: int | None = None) -> Iterator[Callable[[], None]]:
        """Waits until one more request may leave; the body is its way there and back.

        Yields what to call once the request is written. The next leaves then, and not before, so that an API sees pages
        in the order in which they are wanted.
        """
        place = self.take_place() if place is None else place
        with self._lock:
            # A retry comes back to the place it had: behind one whose thread waits for ours, both would wait for ever.
            turn = self._queue.setdefault(place, threading.Condition(self._lock))
            while (wait := self._wait(place)) > 0:
                turn.wait(wait)
            del self._queue[place]
            self._in_flight += 1
            self._leaving = place
            self._departures.append(time.monotonic())
            self._wake_first()
        try:
            yield lambda: self._written(place)
        finally:
            with self._lock:
                self._in_flight -= 1
                self._wake_first()

    def _written(self, place: int) -> None:
        with self._lock:
            if self._leaving == place:
                self._leaving = None
                self._wake_first()

    def _wake_first(self) -> None:
        """Lets the first in the queue look again: only it can leave, and waking all of them costs a lot."""
        if self._queue:
            self._queue[min(self._queue)].notify()

    def _wait(self, place: int) -> float:
        """Seconds until the request in this place may leave, as far as can be told now."""
        now = time.monotonic()
        if self._in_flight >= self.window or place != min(self._queue):
            return MINUTE  # whoever comes back or leaves wakes us
        allowed_at = self._not_before
        if self._leaving is not None:
            allowed_at = max(allowed_at, self._departures[-1] + LEAVING)
        if self._requests_per_minute and len(self._departures) == self._requests_per_minute:
            allowed_at = max(allowed_at, self._departures[0] + MINUTE)
        return allowed_at - now

    def succeeded(self, headers: Mapping[str, str]) -> None:
        """When the answer says that nothing remains of the rate limit, waits for the next period."""
        with self._lock:
            if headers.get("X-RateLimit-Remaining", "").strip() == "0":
                self._pause(seconds_until(headers.get("X-RateLimit-Reset") or headers.get("Retry-After")) or 1.0)

    def widen(self) -> None:
        """Grows the window, as pages are used up faster than they come: twofold until a 429 was seen, then by one."""
        with self._lock:
            self._window = min(self._window + (1 if self._throttled else self._window), self._max_in_flight)
            self._wake_first()

    def throttled(self, headers: Mapping[str, str], backoff: float) -> None:
        """Halves the window and stops all departures for as long as the 429 asks, or else for `backoff` seconds."""
        with self._lock:
            self._throttled = True
            self._window = max(1.0, self._window / 2)
            wait = seconds_until(headers.get("Retry-After"))
            self._pause(backoff if wait is None else wait)

    def _pause(self, seconds: float) -> None:
        self._not_before = max(self._not_before, time.monotonic() + min(seconds, MAX_PAUSE))


@cache
def traffic_to(base_url: str, max_in_flight: int, requests_per_minute: int | None) -> Traffic:
    """The control that all reads of one API share, for as long as the process lives."""
    del base_url  # tells one API from another
    return Traffic(max_in_flight, requests_per_minute)


def seconds_until(told: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` (seconds or an HTTP date) or a rate limit's reset (also epoch seconds).

    None when nothing usable was told.
    """
    if not told:
        return None
    try:
        seconds = float(told)
        return max(0.0, seconds - time.time() if seconds >= EPOCH_SECONDS else seconds)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return None
