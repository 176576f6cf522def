"""The five lists of the API, and all in which they differ."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crm_assets.sandbox import records
from crm_assets.sandbox.scene import Record, Scene
from crm_assets.sandbox.slots import Tempo
from crm_assets.sandbox.times import DAY, MINUTE


@dataclass(frozen=True, eq=False)
class Resource:
    """One list of the API.

    Attributes:
        path: Where it is served.
        data_key: Under which key its records stand.
        percent: How many of every hundred records of the CRM are in it.
        record: Makes a record.
        tempo: How its records come and go.
        sortable: Whether ``sort`` is honoured; if not, the list is always in order of what is due.
        counts_pages: Whether ``meta`` tells ``total_pages``.
        account_include: The ``include`` that side-loads accounts, and where they then stand: in the
            ``"answer"`` or in each ``"record"``. Where there is one, owners can be included, too.
    """

    path: str
    data_key: str
    percent: int
    record: Callable[[Scene], Record]
    tempo: Tempo
    sortable: bool = True
    counts_pages: bool = True
    account_include: tuple[str, str] | None = None


ACCOUNTS: Final = Resource(
    path="/v1/accounts",
    data_key="sales_accounts",
    percent=10,
    record=records.account,
    tempo=Tempo(life=300 * DAY, lasting=0.5, brief=0.005, brief_life=60 * MINUTE),
)
CONTACTS: Final = Resource(
    path="/v1/contacts",
    data_key="contacts",
    percent=50,
    record=records.contact,
    tempo=Tempo(life=300 * DAY, lasting=0.5, brief=0.005, brief_life=30 * MINUTE),
    account_include=("sales_accounts", "record"),
)
DEALS: Final = Resource(
    path="/v1/deals",
    data_key="deals",
    percent=15,
    record=records.deal,
    tempo=Tempo(life=400 * DAY, lasting=0, brief=0.01, brief_life=20 * MINUTE, lead=(2 * DAY, 150 * DAY)),
    account_include=("sales_account", "answer"),
)
TASKS: Final = Resource(
    path="/v1/tasks",
    data_key="tasks",
    percent=15,
    record=records.task,
    tempo=Tempo(life=20 * DAY, lasting=0, brief=0.02, brief_life=20 * MINUTE, due=records.due_date),
    sortable=False,
    counts_pages=False,
)
APPOINTMENTS: Final = Resource(
    path="/v1/appointments",
    data_key="appointments",
    percent=10,
    record=records.appointment,
    tempo=Tempo(
        life=400 * DAY,
        lasting=0,
        brief=0.01,
        brief_life=30 * MINUTE,
        lead=(4 * DAY, 25 * DAY),
        touched=False,
        due=records.end_date,
    ),
    sortable=False,
    counts_pages=False,
)
RESOURCES: Final = (ACCOUNTS, CONTACTS, DEALS, TASKS, APPOINTMENTS)


def shares(rows: int) -> dict[Resource, int]:
    """Divide a number of rows among the resources; contacts take what rounding leaves over."""
    sizes = {resource: rows * resource.percent // 100 for resource in RESOURCES}
    sizes[CONTACTS] += rows - sum(sizes.values())
    return sizes
