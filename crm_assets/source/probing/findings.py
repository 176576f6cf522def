"""What a check of the CRM finds, as data: shown as a table, as JSON, and as Dagster metadata."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_assets.source.probing.allowance import Allowance
from crm_assets.source.probing.estimate import Read, Requests
from crm_assets.source.probing.fields import FieldFindings
from crm_assets.source.probing.links import Linked
from crm_assets.source.probing.order import Order


@dataclass(frozen=True)
class Problem:
    """Something to know or to do.

    Attributes:
        resource: The list; None where it is about all of them.
        problem: What is wrong.
        advice: What to do, with the setting to change; empty where `problem` says so.
        blocks: Whether the list cannot be read because of it, or not to its end.
    """

    resource: str | None
    problem: str
    advice: str = ""
    blocks: bool = False


@dataclass(frozen=True)
class ListFindings:
    """What is known of one list.

    Attributes:
        resource: The list.
        can_be_read: Whether all pages that were asked for were served.
        status: The last answer's; None without any.
        latency: Seconds that an answer took, on average; None without any.
        requests: Requests that were sent to find this out.
        records: In the whole list, by the API's own count; None if it does not tell.
        order: Whether the newest changes come first when they are asked for.
        fields: How fields differ from the declared ones.
        linked: Of accounts and owners, how many records name theirs.
        missing_arrays: Arrays with names that the answers do not carry -> the `include` that brings them.
        full: Requests of a full read; None for a list that was not served.
        hourly: Requests of an incremental read, an hour after the one before.
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
    """What the schedules need of what is allowed.

    Attributes:
        every_hour: Requests of the hourly incremental reads together.
        busiest_hour: The same with the nightly full read.
        allowed: Requests an hour by the API's headers and by the settings; None if neither tells.
        allowed_by: The setting that allows no more; empty if it is the API, or nothing.
        fit: Whether the busiest hour fits; None if that is not known.
    """

    every_hour: int
    busiest_hour: int
    allowed: float | None
    allowed_by: str
    fit: bool | None


@dataclass(frozen=True)
class CrmFindings:
    """What is known of the CRM at an address, and the settings that the estimates rest on."""

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
