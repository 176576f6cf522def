"""A client of the sandbox, as plain as can be."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from crm_assets.sandbox import RunningSandbox, serving_sandbox
from crm_assets.sandbox.world import RESOURCES

NOW = datetime(2026, 3, 18, 12, tzinfo=timezone.utc)
"""The instant that the tests look at, unless they are about time."""

DATA_KEYS = {resource.path: resource.data_key for resource in RESOURCES}
PATHS = tuple(DATA_KEYS)

Row = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """Sends requests with the key, over one connection."""

    sandbox: RunningSandbox
    session: requests.Session

    def get(self, path: str, **parameters: str | int) -> requests.Response:
        """Send one request."""
        headers = {"api_key": self.sandbox.api_key}
        return self.session.get(self.sandbox.base_url + path, params=parameters, headers=headers, timeout=10)

    def page(self, path: str, **parameters: str | int) -> list[Row]:
        """Read the records of one page."""
        records: list[Row] = self.get(path, **parameters).json()[DATA_KEYS[path]]
        return records

    def read(self, path: str, **parameters: str | int) -> list[Row]:
        """Read a whole list, page by page."""
        records: list[Row] = []
        number = 1
        while page := self.page(path, page=number, per_page=100, **parameters):
            records += page
            number += 1
        return records


@contextmanager
def client_of_sandbox(**settings: Any) -> Iterator[Client]:
    """A client of a new sandbox, which shows ``NOW`` unless the settings say otherwise."""
    with serving_sandbox(**{"now": NOW, **settings}) as sandbox, requests.Session() as session:
        # The server closes a connection that is idle for five seconds, perhaps just when a request is sent.
        session.mount("http://", HTTPAdapter(max_retries=1))
        yield Client(sandbox, session)


def instant(text: str) -> datetime:
    """Read a timestamp of the API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
