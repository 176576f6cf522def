"""The generated CRM: five lists at a given time, and the answers to requests for them."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

import orjson

from crm_assets.sandbox import records
from crm_assets.sandbox.chance import DAY, fraction, mix
from crm_assets.sandbox.links import ARRAYS, Links
from crm_assets.sandbox.listing import WORLD_BEGIN, Entry, Listing, Resource
from crm_assets.sandbox.records import Scene, record_maker

SORTS = ("id", "created_at", "updated_at")
PER_PAGE = 25
MAX_PER_PAGE = 100


OF_ACCOUNTS = {"owner": "users", "industry_type": "industry_types"}
OF_CONTACTS = {"sales_accounts": "sales_accounts", "owner": "users"}
OF_DEALS = {"sales_account": "sales_accounts", "owner": "users", "deal_stage": "deal_stages"}

ACCOUNTS = Resource("/v1/accounts", "sales_accounts", 10, records.ACCOUNT, OF_ACCOUNTS, life=300 * DAY, lasting=0.5)
CONTACTS = Resource("/v1/contacts", "contacts", 50, records.CONTACT, OF_CONTACTS, life=300 * DAY, lasting=0.5)
DEALS = Resource("/v1/deals", "deals", 15, records.DEAL, OF_DEALS, life=400 * DAY, lead=(2 * DAY, 150 * DAY))
TASKS = Resource("/v1/tasks", "tasks", 15, records.TASK, {"owner": "users"}, life=20 * DAY, due=records.due_date)
APPOINTMENTS = Resource(
    "/v1/appointments",
    "appointments",
    10,
    records.APPOINTMENT,
    {"creater": "users"},
    life=400 * DAY,
    lead=(4 * DAY, 25 * DAY),
    touched=False,
    due=records.end_date,
)
RESOURCES = (ACCOUNTS, CONTACTS, DEALS, TASKS, APPOINTMENTS)


class World:
    """A CRM of generated records, as a pure function of seed, size and time."""

    def __init__(
        self, rows: int, seed: int, *, unknown_fields: int = 0, odd_types: float = 0, side_load: bool = False
    ) -> None:
        """Sets up the lists; records are made on demand. `serving_sandbox` describes the arguments."""
        self._unknown_fields, self._odd_types, self._side_load = unknown_fields, odd_types, side_load
        sizes = {resource: rows * resource.percent // 100 for resource in RESOURCES}
        sizes[CONTACTS] += rows - sum(sizes.values())
        self._listings = {
            resource: Listing(mix(seed, number), sizes[resource], resource) for number, resource in enumerate(RESOURCES)
        }
        self._makers = {resource: record_maker(resource.table) for resource in RESOURCES}
        self._links = Links(seed, self._listings[ACCOUNTS], self._listings[CONTACTS])
        self._scene = Scene(self._links)
        self._rendered: dict[tuple[Resource, frozenset[str], int], tuple[Entry, bytes]] = {}

    def move(self, now: int) -> None:
        """Sets the time at which the CRM is shown.

        Raises:
            ValueError: If the time is before 2025.
        """
        if now < WORLD_BEGIN:
            raise ValueError("the sandbox has no records before 2025-01-01T00:00:00Z")
        for listing in self._listings.values():
            listing.move(now)

    def answer(self, resource: Resource, params: Mapping[str, str]) -> bytes:
        """Answers a request with these query parameters, as JSON. A page past the end has no records.

        Raises:
            ValueError: If a page or a page size is not a positive integer.
        """
        page = _positive(params, "page", 1)
        per_page = min(_positive(params, "per_page", PER_PAGE), MAX_PER_PAGE)
        listing, sort, descending = self._listings[resource], "due", False
        meta = {"total": listing.size}
        if not resource.due:  # else `sort` is ignored, and `meta` has no number of pages
            sort = params["sort"] if params.get("sort") in SORTS else SORTS[0]
            descending = params.get("sort_type") == "desc"
            meta = {"total_pages": ceil(listing.size / per_page), **meta}
        entries = listing.ordered(sort, descending=descending)[(page - 1) * per_page : page * per_page]
        wanted = frozenset(resource.includes.keys() & {*params.get("include", "").split(",")})
        added = ARRAYS if self._side_load else [resource.includes[include] for include in wanted]
        arrays = [name for name in ARRAYS if name in added and name != resource.data_key]
        before = {name: self._links.side_loaded(name, entries) for name in arrays}
        bodies = [orjson.Fragment(self._body(resource, entry, wanted)) for entry in entries]
        return orjson.dumps({**before, resource.data_key: bodies, "meta": meta})

    def _body(self, resource: Resource, entry: Entry, wanted: frozenset[str]) -> bytes:
        """A record as a JSON object, with the wanted `include` fields. It is kept as long as the record is the same."""
        key = (resource, wanted, entry.slot)
        rendered, body = self._rendered.get(key, (None, b""))
        if rendered is not entry:
            self._scene.begin(entry)
            record = self._makers[resource](self._scene)
            change_a_type(record, entry.seed, self._odd_types)
            add_unknown_fields(record, entry.seed, self._unknown_fields)
            # A copy is as large as the body; orjson's own buffer is kept at twice that and more.
            body = bytes(memoryview(orjson.dumps(self._links.included(entry, wanted) | record)))
            self._rendered[key] = entry, body
        return body


def _positive(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"{name} must be a positive integer, not {text[:20]!r}")
    return int(text)


ODD, WHICH, UNKNOWN = range(501, 504)
ONE_NULL_IN = 12
KEPT = ("id", "updated_at")
TIME = re.compile(r"\d{4}-\d\d-\d\d(T|$)")

# Stem of a field's name -> makes its value from a random number. Each stem has one type.
STEMS = (
    ("region", lambda draw: ("North", "East", "South", "West")[draw % 4]),
    ("seat_count", lambda draw: draw % 500),
    ("usage_ratio", lambda draw: draw % 10_000 / 10_000),
    ("is_partner", lambda draw: draw % 3 == 0),
    ("billing", lambda draw: {"currency": ("EUR", "USD")[draw % 2], "days": draw % 60, "contact": None}),
    ("cost_center", lambda draw: f"{draw % 10_000:05d}"),
    ("renewal_on", lambda draw: f"2027-{draw % 12 + 1:02d}-{draw % 28 + 1:02d}"),
    ("channels", lambda draw: ["mail", "phone", "chat"][: draw % 4]),
)


def add_unknown_fields(record: dict[str, Any], seed: int, count: int) -> None:
    """Adds undeclared fields. A field's values have the same JSON type in all records, or are null."""
    for number in range(1, count + 1):
        stem, make = STEMS[(number - 1) % len(STEMS)]
        draw = mix(seed, UNKNOWN, number)
        record[f"{stem}_{number}"] = make(draw >> 8) if draw % ONE_NULL_IN else None


def change_a_type(record: dict[str, Any], seed: int, share: float) -> None:
    """Changes one field of a share of the records to another JSON type, or a time to a string that is not a time."""
    if fraction(seed, ODD) < share:
        names = [name for name, value in record.items() if isinstance(value, int | str) and name not in KEPT]
        name = names[mix(seed, WHICH) % len(names)]
        record[name] = _of_another_type(record[name])


def _of_another_type(value: int | str) -> int | str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return "n/a" if TIME.match(value) else len(value)
