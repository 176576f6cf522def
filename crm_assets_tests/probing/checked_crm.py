"""Checks a scripted CRM, and counts the requests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from crm_assets.api import ENDPOINTS
from crm_assets.probing.check import CrmFindings, check_crm
from crm_assets.probing.findings import ListFindings, Problem
from crm_assets.settings import resolve_settings
from crm_assets_tests.scripted_crm import ScriptedCrm, configured_crm

NOW = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)

NAMES: dict[str, Any] = {array: [] for endpoint in ENDPOINTS.values() for array in endpoint.side_loads.values()}
"""All arrays with names that answers can carry."""


@contextmanager
def tidy_crm(**arguments: Any) -> Iterator[ScriptedCrm]:
    """A scripted CRM that the environment points at, whose answers carry all that can be asked for."""
    with configured_crm(**{"side_loaded": NAMES} | arguments) as crm:
        yield crm


def check(crm: ScriptedCrm) -> CrmFindings:
    """Checks all lists as the environment is set, and holds it to its promise of two requests a list."""
    crm.seen.clear()
    findings = check_crm(resolve_settings(), crm.base_url, NOW, print)
    assert {each.resource: each.requests for each in findings.lists} == {
        resource: len(crm.pages(resource)) for resource in ENDPOINTS
    }
    assert max(each.requests for each in findings.lists) <= 2
    return findings


def of(findings: CrmFindings, resource: str) -> ListFindings:
    """What was found of one list."""
    return next(each for each in findings.lists if each.resource == resource)


def problems(findings: CrmFindings, resource: str | None) -> list[Problem]:
    """The problems of one list, or of all together."""
    return [each for each in findings.problems if each.resource == resource]


def linked(count: int, **fields: Any) -> list[dict[str, Any]]:
    """Records that a check finds nothing to say about but missing fields: linked, each changed an hour after the next.

    The newest was changed a day before `NOW`. `fields` are added to all of them.
    """
    links = {"owner_id": 1, "sales_account_id": 1, "targetables": [{"id": 1, "type": "SalesAccount"}]}
    newest = NOW - timedelta(days=1)
    return [
        {"id": id_, "updated_at": (newest - timedelta(hours=id_)).isoformat(), **links, **fields}
        for id_ in range(1, count + 1)
    ]
