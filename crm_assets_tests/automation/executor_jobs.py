"""Jobs on the project's assets for either executor, built when the module is imported: processes are forked from it."""

import os
from pathlib import Path

from dagster import (
    AssetSelection,
    Definitions,
    HookContext,
    JobDefinition,
    define_asset_job,
    failure_hook,
    in_process_executor,
    multiprocess_executor,
    success_hook,
)

from crm_assets.definitions import defs


def note(what: str) -> None:
    with Path(os.environ["NOTES"]).open("a", encoding="utf-8") as notes:
        notes.write(f"{what}\n")


@success_hook
def notes_success(context: HookContext) -> None:
    note(f"success of {context.op.name}")


@failure_hook
def notes_failure(context: HookContext) -> None:
    note(f"failure of {context.op.name}")


FEW = AssetSelection.assets(["raw", "contacts"], ["published", "database"]) | (
    AssetSelection.assets(["marts", "account_ownership"]).upstream()
)

ON_THIS_MACHINE = {"in_process": in_process_executor, "multiprocess": multiprocess_executor}

PROJECTS = {
    name: Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        resources=defs.resources,
        jobs=[define_asset_job("few", FEW, hooks={notes_success, notes_failure})],
        executor=executor,
    )
    for name, executor in ON_THIS_MACHINE.items()
}
JOBS = {("few", name): project.resolve_job_def("few") for name, project in PROJECTS.items()}


def project_job(name: str, executor: str) -> JobDefinition:
    """What processes find a job by."""
    return JOBS[name, executor]
