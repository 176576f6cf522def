"""The jobs of a CRM that materialize nothing: its check, with findings as metadata, and the digest.

The digest has headline figures and the sales review, and goes to the addresses of alerts when `CRM_DIGEST` says.
"""

from dataclasses import asdict
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg

from crm_assets.alerts.sending import Message, send
from crm_assets.assets.attributes import masked_metadata
from crm_assets.assets.failures import failures_explained
from crm_assets.automation.jobs import schedule
from crm_assets.connection import CrmConnection
from crm_assets.console import CONSOLE
from crm_assets.errors import ApiRefusal, CrmAssetsError, SettingsError
from crm_assets.probing.check import CrmFindings, cost, table
from crm_assets.reports.figures import Formats, SalesReview, read_figures
from crm_assets.reports.page import answers, stored_page
from crm_assets.reports.tables import tables_of
from crm_assets.settings import Crm, resolve_settings, setting_at_load
from crm_assets.warehouse.warehouse import Warehouse


def build_check_job(crm: Crm) -> dg.JobDefinition:
    """The job that checks a CRM."""

    @dg.op(
        name=crm.named("check_lists"),
        description="Sends at most two requests per list, and reports problems and the requests that reads will take.",
    )
    def check_lists(context: dg.OpExecutionContext, crm_connection: CrmConnection) -> None:
        """Checks all lists.

        Raises:
            Failure: A setting is wrong, or a list cannot be read. Its metadata are the findings.
        """
        with failures_explained("crm_check", crm) as metadata:
            findings = crm_connection.check(context.log.info, crm)
            metadata.update(_metadata(findings))
            for problem in findings.problems:
                (context.log.error if problem.blocks else context.log.warning)(str(problem))
            if findings.unreadable:
                raise ApiRefusal("\n".join(str(problem) for problem in findings.problems if problem.blocks))
            reads = cost(findings.full), cost(findings.hourly)
            context.log.info(
                "Every list can be read. A full read takes %s, an incremental one an hour later %s", *reads
            )
        context.add_output_metadata(metadata)

    what = "Checks whether the CRM can be read, what reads cost, and which settings to change. Writes no table."
    return _job_of(crm, "crm_check", what, check_lists)


def _job_of(crm: Crm, name: str, description: str, op: dg.OpDefinition) -> dg.JobDefinition:
    graph = dg.GraphDefinition(name=crm.named(name), description=description, node_defs=[op])
    return graph.to_job(config=dg.RunConfig(loggers={CONSOLE: {}}))


def _metadata(findings: CrmFindings) -> dict[str, dg.MetadataValue]:
    lists = [row | {"can be read": row["list"] not in findings.unreadable} for row in table(findings.lists)]
    problems = [
        {"list": each.resource or "all", "problem": each.problem, "advice": each.advice} for each in findings.problems
    ]
    columns = dg.TableSchema([dg.TableColumn(name) for name in ("list", "problem", "advice")])
    address, lists, problems, everything = masked_metadata([findings.address, lists, problems, asdict(findings)])
    return {
        "crm": dg.MetadataValue.text(address),
        "lists": dg.MetadataValue.table([*map(dg.TableRecord, lists)]),
        "problems": dg.MetadataValue.table([*map(dg.TableRecord, problems)], columns),
        "findings": dg.MetadataValue.json(everything),
    }


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

    what = "Sends headline figures and the sales review to the addresses in CRM_NOTIFY."
    crm_digest = _job_of(crm, "crm_digest", what, send_digest)
    warn = dg.get_dagster_logger().warning
    if not (cron := setting_at_load("digest", warn)):
        return dg.Definitions(jobs=[crm_digest])
    if not setting_at_load("notify"):
        warn(NO_ADDRESS)
    name, when = crm.named("crm_digest_schedule"), "Sends the digest when CRM_DIGEST says."
    try:
        sent = schedule(name, crm_digest, cron, when, default_status=dg.DefaultScheduleStatus.RUNNING)
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
    latest, *earlier = review["headline"]
    since = [formats.day(build["snapshot_date"]) for build in earlier]
    for row in tables_of(review)["week"].rows:
        change = f" ({formats.change(row['change'])} since {since[0]})" if since else ""
        lines.append(f"{row['figure']}: {formats.amount(row['value'])}{change}")
    title = f"crm_assets: sales review of {formats.day(latest['snapshot_date'])}"
    lines.append(f"Figures of {formats.instant(latest['taken_at'])}, from {source}. The sales review is attached.")
    return Message("info", title, "\n".join(lines), page)
