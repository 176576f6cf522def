"""The CRM check as a job, with its findings as metadata. It materializes nothing."""

from dataclasses import asdict

import dagster as dg

from crm_assets.assets.failures import failures_explained
from crm_assets.assets.table_metadata import masked_value
from crm_assets.connection import CrmConnection
from crm_assets.console import CONSOLE
from crm_assets.errors import ApiRefusal
from crm_assets.probing.check import CrmFindings, cost, table
from crm_assets.settings import Crm


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

    @dg.job(
        name=crm.named("crm_check"),
        description="Checks whether the CRM can be read, how many requests reads take, and which settings to change. "
        "Writes no table.",
        config=dg.RunConfig(loggers={CONSOLE: {}}),
    )
    def crm_check() -> None:
        check_lists()

    return crm_check


def _metadata(findings: CrmFindings) -> dict[str, dg.MetadataValue]:
    lists = [row | {"can be read": row["list"] not in findings.unreadable} for row in table(findings.lists)]
    problems = [
        {"list": each.resource or "all", "problem": each.problem, "advice": each.advice} for each in findings.problems
    ]
    columns = dg.TableSchema([dg.TableColumn(name) for name in ("list", "problem", "advice")])
    return {
        "crm": dg.MetadataValue.text(masked_value(findings.address)),
        "lists": dg.MetadataValue.table([*map(dg.TableRecord, masked_value(lists))]),
        "problems": dg.MetadataValue.table([*map(dg.TableRecord, masked_value(problems))], columns),
        "findings": dg.MetadataValue.json(masked_value(asdict(findings))),
    }
