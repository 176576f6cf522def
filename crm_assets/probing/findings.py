"""The findings of a check as data. They are shown as a table, as JSON and as Dagster metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_assets.probing.allowance import Allowance
from crm_assets.probing.estimate import Read, Requests
from crm_assets.probing.fields import FieldFindings
from crm_assets.probing.links import Linked
from crm_assets.probing.order import Order


@dataclass(frozen=True)
class Problem:
    """A problem that a check has found.

    Attributes:
        resource: The list; None if it concerns all of them.
        problem: What is wrong.
        advice: What to do, with the setting to change; empty if `problem` already says it.
        blocks: Whether it keeps the list from being read to its end.
    """

    resource: str | None
    problem: str
    advice: str = ""
    blocks: bool = False


@dataclass(frozen=True)
class ListFindings:
    """The findings about one list.

    Attributes:
        resource: The list.
        can_be_read: Whether the API served all requested pages.
        status: The status of the last answer; None without an answer.
        latency: Average seconds per answer; None without an answer.
        requests: Requests that the check sent.
        records: Records in the whole list by the API's count; None if it has none.
        order: Whether the API sorts newest first when asked to.
        fields: How fields differ from the declared ones.
        linked: `accounts` or `owners` -> how many records are linked to them.
        missing_arrays: Side-loaded array that the answers lack -> the `include` that adds it.
        full: Requests of a full read; None for a list that was not served.
        hourly: Requests of an incremental read an hour after the previous one.
    """

    resource: str
    can_be_read: bool
    status: int | None
    latency: float | None
    requests: int
    records: int | None
    order: Order
    fields: FieldFindings
    linked: Mapping[str, Linked]
    missing_arrays: Mapping[str, str]
    full: Requests | None
    hourly: Requests | None


@dataclass(frozen=True)
class Schedules:
    """How many requests the schedules need, and how many are allowed.

    Attributes:
        every_hour: Requests of all hourly incremental reads.
        busiest_hour: The same, plus the nightly full read.
        allowed: Requests allowed per hour by the API's headers and the settings; None without a limit.
        allowed_by: The setting with the lowest limit; empty if that is the API's, or there is none.
        fit: Whether the busiest hour stays within the limit; None if not known.
    """

    every_hour: int
    busiest_hour: int
    allowed: float | None
    allowed_by: str
    fit: bool | None


@dataclass(frozen=True)
class CrmFindings:
    """The findings about the CRM at an address, and the settings used for the estimates."""

    address: str
    can_be_read: bool
    per_page: int
    max_in_flight: int
    requests_per_minute: int | None
    requests_per_hour: int | None
    lists: Sequence[ListFindings]
    allowance: Allowance | None
    full: Read
    hourly: Read
    schedules: Schedules
    problems: Sequence[Problem]
