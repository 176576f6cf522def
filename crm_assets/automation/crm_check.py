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
from crm_assets.console.logger import CONSOLE
from crm_assets.errors import ApiRefusal
from crm_assets.probing.findings import CrmFindings, ListFindings
from crm_assets.settings import Crm


def _check(context: OpExecutionContext, crm: CrmConnection, of: Crm) -> None:
    """Checks all lists of the CRM.

    Raises:
        Failure: A setting is wrong, or a list cannot be read. Its metadata are the findings.
    """
    with failures_explained("crm_check", of) as metadata:
        findings = crm.check(context.log.info, of)
        metadata.update(_metadata(findings))
        _report(context, findings)
    context.add_output_metadata(metadata)


def _report(context: OpExecutionContext, findings: CrmFindings) -> None:
    """Logs the findings.

    Raises:
        ApiRefusal: A list cannot be read.
    """
    for problem in findings.problems:
        log = context.log.error if problem.blocks else context.log.warning
        log(f"{problem.resource or 'all lists'}: {problem.problem}. {problem.advice}")
    if not findings.can_be_read:
        unread = [problem for problem in findings.problems if problem.blocks]
        raise ApiRefusal("\n".join(f"{problem.resource}: {problem.problem}. {problem.advice}" for problem in unread))
    full, hourly = (
        f"{read.requests.bound.value} {read.requests.number:,}" for read in (findings.full, findings.hourly)
    )
    told = f"Every list can be read. A full read takes {full} requests, an incremental one an hour later {hourly}"
    context.log.info(told)


def build_check_job(of: Crm) -> JobDefinition:
    """The job that checks a CRM."""

    @op(
        name=of.named("check_lists"),
        description="Sends at most two requests per list, and reports problems and the requests that reads will take.",
    )
    def check_lists(context: OpExecutionContext, crm: CrmConnection) -> None:
        _check(context, crm, of)

    @job(
        name=of.named("crm_check"),
        description="Checks whether the CRM can be read, how many requests reads take, and which settings to change. "
        "Writes no table.",
        config=RunConfig(loggers={CONSOLE: {}}),
    )
    def crm_check() -> None:
        check_lists()

    return crm_check


def _metadata(findings: CrmFindings) -> dict[str, MetadataValue]:
    return {
        "crm": MetadataValue.text(findings.address),
        "lists": MetadataValue.table([_record(each) for each in findings.lists]),
        "problems": MetadataValue.table(
            [
                TableRecord({"list": each.resource or "all", "problem": each.problem, "advice": each.advice})
                for each in findings.problems
            ],
            TableSchema([TableColumn("list"), TableColumn("problem"), TableColumn("advice")]),
        ),
        "findings": MetadataValue.json(json.loads(json.dumps(asdict(findings)))),
    }


def _record(found: ListFindings) -> TableRecord:
    """One list as a row; unknown values are empty."""
    linked = {to: f"{link.linked} of {link.records}" for to, link in found.linked.items()}
    return TableRecord(
        {
            "list": found.resource,
            "can be read": found.can_be_read,
            "status": str(found.status or ""),
            "latency (ms)": "" if found.latency is None else f"{found.latency * 1000:,.0f}",
            "records": "" if found.records is None else f"{found.records:,}",
            "sorts": found.order.value,
            "with account": linked.get("accounts", ""),
            "with owner": linked.get("owners", ""),
            "not declared": len(found.fields.undeclared),
            "never sent": len(found.fields.never_sent),
            "of another type": len(found.fields.other_types),
            "full read": "" if found.full is None else f"{found.full.bound.value} {found.full.number:,}",
            "incremental read": "" if found.hourly is None else f"{found.hourly.bound.value} {found.hourly.number:,}",
        }
    )
