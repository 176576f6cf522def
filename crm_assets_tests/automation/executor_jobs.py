"""Jobs on the project's assets for either executor, built when the module is imported: processes are forked from it."""

from dagster import (
    AssetSelection,
    Definitions,
    JobDefinition,
    define_asset_job,
    in_process_executor,
    multiprocess_executor,
)

from crm_assets.definitions import defs

FEW = AssetSelection.assets(["raw", "contacts"], ["published", "database"]) | (
    AssetSelection.assets(["marts", "account_ownership"]).upstream()
)

ON_THIS_MACHINE = {"in_process": in_process_executor, "multiprocess": multiprocess_executor}

PROJECTS = {
    name: Definitions(
        assets=defs.assets,
        asset_checks=defs.asset_checks,
        resources=defs.resources,
        jobs=[define_asset_job("few", FEW)],
        executor=executor,
    )
    for name, executor in ON_THIS_MACHINE.items()
}
JOBS = {("few", name): project.resolve_job_def("few") for name, project in PROJECTS.items()}


def project_job(name: str, executor: str) -> JobDefinition:
    """What processes find a job by."""
    return JOBS[name, executor]
