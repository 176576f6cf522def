"""The CRM check as a job, with its findings as metadata. It materializes nothing."""

import json
from dataclasses import asdict

from dagster import (
    JobDefinition,
    MetadataValue,
    OpExecutionContext,
    RunConfig,
    TableColumn,
    TableRecord,
    TableSchema,
    job,
    op,
)

from crm_assets.assets.failures import failures_explained
from crm_assets.connection import CrmConnection
from crm_assets.console import CONSOLE
from crm_assets.errors import ApiRefusal
from crm_assets.probing.check import CrmFindings
from crm_assets.probing.report import cost, table
from crm_assets.settings import Crm


def _check(context: OpExecutionContext, connection: CrmConnection, crm: Crm) -> None:
    """Checks all lists of the CRM.

    Raises:
        Failure: A setting is wrong, or a list cannot be read. Its metadata are the findings.
    """
    with failures_explained("crm_check", crm) as metadata:
        findings = connection.check(context.log.info, crm)
        metadata.update(_metadata(findings))
        _report(context, findings)
    context.add_output_metadata(metadata)


def _report(context: OpExecutionContext, findings: CrmFindings) -> None:
    """Logs the findings.

    Raises:
        ApiRefusal: A list cannot be read.
    """
    for problem in findings.problems:
        (context.log.error if problem.blocks else context.log.warning)(str(problem))
    if not findings.can_be_read:
        raise ApiRefusal("\n".join(str(problem) for problem in findings.problems if problem.blocks))
    reads = cost(findings.full), cost(findings.hourly)
    context.log.info("Every list can be read. A full read takes %s, an incremental one an hour later %s", *reads)


def build_check_job(crm: Crm) -> JobDefinition:
    """The job that checks a CRM."""

    @op(
        name=crm.named("check_lists"),
        description="Sends at most two requests per list, and reports problems and the requests that reads will take.",
    )
    def check_lists(context: OpExecutionContext, crm_connection: CrmConnection) -> None:
        _check(context, crm_connection, crm)

    @job(
        name=crm.named("crm_check"),
        description="Checks whether the CRM can be read, how many requests reads take, and which settings to change. "
        "Writes no table.",
        config=RunConfig(loggers={CONSOLE: {}}),
    )
    def crm_check() -> None:
        check_lists()

    return crm_check


def _metadata(findings: CrmFindings) -> dict[str, MetadataValue]:
    problems = [
        TableRecord({"list": each.resource or "all", "problem": each.problem, "advice": each.advice})
        for each in findings.problems
    ]
    columns = TableSchema([TableColumn(name) for name in ("list", "problem", "advice")])
    lists = [
        TableRecord({**row, "can be read": found.can_be_read})
        for row, found in zip(table(findings.lists), findings.lists, strict=True)
    ]
    return {
        "crm": MetadataValue.text(findings.address),
        "lists": MetadataValue.table(lists),
        "problems": MetadataValue.table(problems, columns),
        "findings": MetadataValue.json(json.loads(json.dumps(asdict(findings)))),
    }
