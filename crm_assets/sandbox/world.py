"""The generated CRM: five lists at a given time, and the answers to requests for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import ceil

import orjson

from crm_assets.sandbox import records
from crm_assets.sandbox.chance import DAY, mix
from crm_assets.sandbox.fields import Scene, Table, record_maker
from crm_assets.sandbox.links import ARRAYS, Links
from crm_assets.sandbox.listing import MAX_SLOTS, WORLD_BEGIN, Entry, Listing, Tempo
from crm_assets.sandbox.records import add_unknown_fields, change_a_type

SORTS = ("id", "created_at", "updated_at")
PER_PAGE = 25
MAX_PER_PAGE = 100
MAX_UNKNOWN_FIELDS = 1_000


@dataclass(frozen=True, eq=False)
class Resource:
    """One list of the API, with everything in which it differs from the others.

    Attributes:
        path: Its path.
        data_key: The answer's key for its records.
        percent: Its share of the CRM's records.
        table: Its fields.
        tempo: How its records enter, change and leave.
        includes: Value of `include` -> the side-loaded array that it adds.
    """

    path: str
    data_key: str
    percent: int
    table: Table
    tempo: Tempo
    includes: Mapping[str, str]

    @property
    def sortable(self) -> bool:
        """Whether `sort` is honoured. If not, the list is sorted by due time, and `meta` has no number of pages."""
        return self.tempo.due is None


STAYING = Tempo(life=300 * DAY, lasting=0.5)
WON = Tempo(life=400 * DAY, lead=(2 * DAY, 150 * DAY))
OPEN = Tempo(life=20 * DAY, due=records.due_date)
PAST = Tempo(life=400 * DAY, lead=(4 * DAY, 25 * DAY), touched=False, due=records.end_date)

OF_ACCOUNTS = {"owner": "users", "industry_type": "industry_types"}
OF_CONTACTS = {"sales_accounts": "sales_accounts", "owner": "users"}
OF_DEALS = {"sales_account": "sales_accounts", "owner": "users", "deal_stage": "deal_stages"}

ACCOUNTS = Resource("/v1/accounts", "sales_accounts", 10, records.ACCOUNT, STAYING, OF_ACCOUNTS)
CONTACTS = Resource("/v1/contacts", "contacts", 50, records.CONTACT, STAYING, OF_CONTACTS)
DEALS = Resource("/v1/deals", "deals", 15, records.DEAL, WON, OF_DEALS)
TASKS = Resource("/v1/tasks", "tasks", 15, records.TASK, OPEN, {"owner": "users"})
APPOINTMENTS = Resource("/v1/appointments", "appointments", 10, records.APPOINTMENT, PAST, {"creater": "users"})
RESOURCES = (ACCOUNTS, CONTACTS, DEALS, TASKS, APPOINTMENTS)


class World:
    """A CRM of generated records, as a pure function of seed, size and time."""

    def __init__(
        self, rows: int, seed: int, *, unknown_fields: int = 0, odd_types: float = 0, side_load: bool = False
    ) -> None:
        """Sets up the lists; records are made on demand. `serving_sandbox` describes the arguments."""
        if not 0 <= rows <= MAX_SLOTS:
            raise ValueError(f"the sandbox must have 0 to {MAX_SLOTS:,} rows, not {rows:,}")
        if not 0 <= unknown_fields <= MAX_UNKNOWN_FIELDS:
            raise ValueError(f"a record must have 0 to {MAX_UNKNOWN_FIELDS:,} unknown fields, not {unknown_fields:,}")
        if not 0 <= odd_types <= 1:
            raise ValueError(f"the share of records with an odd type must be 0 to 1: {odd_types}")
        self._unknown_fields, self._odd_types, self._side_load = unknown_fields, odd_types, side_load
        sizes = {resource: rows * resource.percent // 100 for resource in RESOURCES}
        sizes[CONTACTS] += rows - sum(sizes.values())
        self._listings = {
            resource: Listing(mix(seed, number), sizes[resource], resource.tempo, partial(self._render, resource))
            for number, resource in enumerate(RESOURCES)
        }
        self._makers = {resource: record_maker(resource.table) for resource in RESOURCES}
        self._links = Links(seed, self._listings[ACCOUNTS], self._listings[CONTACTS])
        self._scene = Scene(self._links)

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
        if resource.sortable:
            sort = params["sort"] if params.get("sort") in SORTS else SORTS[0]
            descending = params.get("sort_type") == "desc"
        entries = listing.ordered(sort, descending=descending)[(page - 1) * per_page : page * per_page]
        wanted = frozenset(resource.includes.keys() & {*params.get("include", "").split(",")})
        meta = {"total": listing.size}
        if resource.sortable:
            meta = {"total_pages": ceil(listing.size / per_page), **meta}
        added = ARRAYS if self._side_load else [resource.includes[include] for include in wanted]
        arrays = [name for name in ARRAYS if name in added and name != resource.data_key]
        before = {name: self._links.side_loaded(name, entries) for name in arrays}
        bodies = [orjson.Fragment(listing.body(entry, wanted)) for entry in entries]
        return orjson.dumps({**before, resource.data_key: bodies, "meta": meta})

    def _render(self, resource: Resource, entry: Entry, wanted: frozenset[str]) -> bytes:
        self._scene.begin(entry)
        record = self._makers[resource](self._scene)
        change_a_type(record, entry.seed, self._odd_types)
        add_unknown_fields(record, entry.seed, self._unknown_fields)
        body = orjson.dumps(self._links.included(entry, wanted) | record)
        # A copy is as large as the body; orjson's own buffer is kept at twice that and more.
        return bytes(memoryview(body))


def _positive(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"{name} must be a positive integer, not {text[:20]!r}")
    return int(text)
