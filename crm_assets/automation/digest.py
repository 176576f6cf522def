"""The digest: headline figures and the sales review, sent to the addresses of alerts when `CRM_DIGEST` says."""

from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

from crm_assets.alerts.sending import Message, send
from crm_assets.assets.failures import failures_explained
from crm_assets.automation.schedules import schedule
from crm_assets.console import CONSOLE
from crm_assets.errors import CrmAssetsError, SettingsError
from crm_assets.reports.figures import SalesReview, read_figures
from crm_assets.reports.formats import Formats
from crm_assets.reports.page import answers, stored_page
from crm_assets.reports.tables import tables_of
from crm_assets.settings import Crm, resolve_settings, setting_at_load
from crm_assets.warehouse.warehouse import Warehouse

NO_ADDRESS = (
    "CRM_NOTIFY is missing: a digest is sent to its addresses. Set it to Apprise URLs, such as mailto://…, or remove "
    "CRM_DIGEST"
)


def build_digest(crm: Crm) -> dg.Definitions:
    """The job that sends a CRM's digest and, if `CRM_DIGEST` is set, its schedule."""

    @dg.op(name=crm.named("send_digest"), description="Sends the digest.")
    def send_digest(context: dg.OpExecutionContext, crm_warehouse: Warehouse) -> None:
        with failures_explained("crm_digest", crm):
            _send(context, crm, crm_warehouse.of(crm))

    @dg.job(
        name=crm.named("crm_digest"),
        description="Sends headline figures and the sales review to the addresses in CRM_NOTIFY.",
        config=dg.RunConfig(loggers={CONSOLE: {}}),
    )
    def crm_digest() -> None:
        send_digest()

    warn = dg.get_dagster_logger().warning
    if not (cron := setting_at_load("digest", warn)):
        return dg.Definitions(jobs=[crm_digest])
    if not setting_at_load("notify"):
        warn(NO_ADDRESS)
    what = "Sends the digest when CRM_DIGEST says."
    try:
        sent = schedule(
            crm.named("crm_digest_schedule"), crm_digest, cron, what, default_status=dg.DefaultScheduleStatus.RUNNING
        )
    except dg.DagsterInvalidDefinitionError:  # it has five parts, but names a day such as 30 February
        warn(f"CRM_DIGEST is {cron}, which never comes: no digest is sent. Name days that the months have")
        return dg.Definitions(jobs=[crm_digest])
    return dg.Definitions(jobs=[crm_digest], schedules=[sent])


def _send(context: dg.OpExecutionContext, crm: Crm, warehouse: Warehouse) -> None:
    """Sends the digest.

    Raises:
        SettingsError: There is no address.
        NothingStored: There is no sales review yet.
        CrmAssetsError: It arrived nowhere.
    """
    settings = resolve_settings(crm)
    if not settings.notify:
        raise SettingsError(NO_ADDRESS)
    page = stored_page(settings, crm)
    with warehouse.read_connection() as connection:
        review = read_figures(connection)
    message = digest(review, Formats(ZoneInfo(settings.reporting_timezone), settings.currency), settings.source, page)
    if not send(message, settings.notify.get_secret_value(), context.log.warning):
        raise CrmAssetsError("The digest arrived at no address in CRM_NOTIFY")
    context.log.info("Sent: %s", message.title)


def digest(review: SalesReview, formats: Formats, source: str, page: Path) -> Message:
    """The message: totals only, in the words of the page, which is attached and has names."""
    [(question, answer), *_] = answers(review, formats).items()
    lines = [f"{question} {answer}"]
    since = [formats.day(earlier["snapshot_date"]) for earlier in review.parts["headline"][1:]]
    for row in tables_of(review)["week"].rows:
        change = f" ({formats.change(row['change'])} since {since[0]})" if since else ""
        lines.append(f"{row['figure']}: {formats.amount(row['value'])}{change}")
    lines.append(f"Figures of {formats.instant(review.taken_at)}, from {source}. The sales review is attached.")
    return Message("info", f"crm_assets: sales review of {formats.day(review.today)}", "\n".join(lines), page)
