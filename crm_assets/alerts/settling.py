"""Settles incidents from within Dagster: with the configured addresses, and without ever failing what it watches."""

from collections.abc import Collection, Sequence

from dagster import get_dagster_logger

from crm_assets.alerts.incidents import Incident, Recovery, settle
from crm_assets.alerts.messages import message
from crm_assets.alerts.sending import send
from crm_assets.settings import setting_at_load


def settle_incidents(failing: Sequence[Incident], passing: Collection[str], page: str) -> None:
    """Tells what is new, and that incidents are over. Whatever goes wrong with it is logged.

    Args:
        failing: What is wrong now.
        passing: Keys of what is right now.
        page: Path of the page in the UI that tells more, such as `runs/RUN_ID`.
    """
    log = get_dagster_logger().warning
    try:
        # One by one: that another setting is wrong is what there may be to tell.
        link = f"{setting_at_load('ui_url').rstrip('/')}/{page}"
        notify = setting_at_load("notify")
        addresses = notify.get_secret_value() if notify else ""

        def tell(new: Sequence[Incident], over: Sequence[Recovery]) -> bool:
            return send(message(new, over, link), addresses, log)

        settle(setting_at_load("data_dir") / "alerts.json", failing, passing, tell)
    except Exception as error:  # noqa: BLE001 # what merely watches never fails a run, and an address may be in the text
        log(f"Alerts could not be settled: {type(error).__name__}")
