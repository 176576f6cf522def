"""Settles incidents from within Dagster, with the configured addresses. Never fails a run."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from dagster import get_dagster_logger

from crm_assets.alerts.incidents import Incident, Recovery, incidents_in_file, settle
from crm_assets.alerts.messages import message
from crm_assets.alerts.sending import send
from crm_assets.masking import mask_log_records
from crm_assets.settings import setting_at_load
from crm_assets.settings.secrets import url
from crm_assets.warehouse.address import shared_catalog


def settle_incidents(failing: Sequence[Incident], passing: Collection[str], page: str) -> None:
    """Reports new incidents and recoveries. Errors are logged, not raised.

    Args:
        failing: Current incidents.
        passing: Keys of assets, checks and runs without an incident.
        page: Path of the page in the UI with details, such as `runs/RUN_ID`.
    """
    log = get_dagster_logger().warning
    try:
        # Resolved one by one: the incident may be that another setting is wrong.
        mask_log_records()
        link = f"{url(setting_at_load('ui_url')).shown.rstrip('/')}/{page}"
        notify = setting_at_load("notify")
        addresses = notify.get_secret_value() if notify else ""

        def tell(new: Sequence[Incident], over: Sequence[Recovery]) -> bool:
            return send(message(new, over, link), addresses, log)

        _settle(failing, passing, tell)
    except Exception as error:  # noqa: BLE001 # alerts never fail a run; the message may hold an address
        log(f"Alerts could not be sent or updated: {type(error).__name__}")


def _settle(
    failing: Sequence[Incident],
    passing: Collection[str],
    tell: Callable[[Sequence[Incident], Sequence[Recovery]], bool],
) -> None:
    """Settles incidents where all processes of this warehouse find them."""
    file = setting_at_load("data_dir") / "alerts.json"
    if dsn := shared_catalog():
        # Optional dependencies: only a lake needs them.
        from psycopg import OperationalError

        from crm_assets.alerts.shared_incidents import incidents_in_catalog

        with suppress(OperationalError):  # the catalog itself may be what fails: the file is there for that
            settle(incidents_in_catalog(dsn), failing, passing, tell)
            failing = []  # only those that were reported meanwhile can be over
    if failing or file.exists():
        settle(incidents_in_file(file), failing, passing, tell)
