"""The component whose instance is a CRM."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated

import dagster as dg
from pydantic import Field, field_validator

from crm_assets.alerts.reporting import ReportingWarehouse
from crm_assets.api import ENDPOINTS
from crm_assets.assets.model_checks import build_model_checks
from crm_assets.assets.models import build_model_assets
from crm_assets.assets.published import build_published_database
from crm_assets.assets.raw import build_raw_assets
from crm_assets.assets.reports import build_sales_review, tables_read
from crm_assets.automation.check_and_digest import build_check_job, build_digest
from crm_assets.automation.jobs import build_jobs, build_maintenance, build_schedules, kept_fresh, read_cadences
from crm_assets.automation.sensors import build_model_sensor, build_publishing_sensor
from crm_assets.connection import CrmConnection
from crm_assets.console import CONSOLE, console_logger
from crm_assets.errors import SettingsError
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.settings import Crm, EndpointSettings
from crm_assets.warehouse.tables import RAW
from crm_assets.warehouse.warehouse import has_maintenance

# Definitions of several instances are merged, which needs the same objects.
RESOURCES = {"crm_connection": CrmConnection(), "crm_warehouse": ReportingWarehouse()}
LOGGERS = {CONSOLE: console_logger}


class CrmScaffolder(dg.Scaffolder):
    """Makes an instance whose name is that of its folder."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Writes `defs.yaml`."""
        dg.scaffold_component(request, {"name": request.target_path.name})


@dg.scaffold_with(CrmScaffolder)
class CrmComponent(dg.Component, dg.Model, dg.Resolvable):
    """A CRM: tables of its lists in a DuckDB database of its own, models built from them, a published copy, a report.

    Its address, its key and all other settings are in the environment or in dlt's TOML files, in the section
    `sources.<name>`. Without a name, and if neither address nor key is set, the bundled sandbox is read.
    """

    name: Annotated[
        str,
        dg.Resolver.default(
            description="Its name, before those of its assets, jobs and schedules, and in those of its settings: for "
            "`north`, `north/raw/accounts` and `SOURCES__NORTH__API_KEY`. Empty for the first CRM.",
            examples=["north"],
        ),
    ] = ""
    resources: Annotated[
        Sequence[str],
        Field(min_length=1),
        dg.Resolver.default(
            description=f"The lists to load, of {', '.join(ENDPOINTS)}. Without it, all. Models and reports that need "
            "others are left out.",
            examples=[["accounts", "contacts"]],
        ),
    ] = tuple(ENDPOINTS)
    cadence_minutes: Annotated[
        Mapping[str, int],
        dg.Resolver.default(
            description="Resource: minutes from one scheduled read to the next, which divide an hour or are whole "
            "hours that divide a day. For others the settings' `cadence_minutes` count, 60 unless set.",
            examples=[{"open_tasks": 15, "won_deals": 240}],
        ),
    ] = {}
    start_minute: Annotated[
        int,
        Field(ge=0, le=59),
        dg.Resolver.default(
            description="Minutes, up to 59, by which its schedules start later, so that not all CRMs are read at once.",
            examples=[5],
        ),
    ] = 0

    @field_validator("name")
    @classmethod
    def _can_be_a_name(cls, name: str) -> str:
        try:
            return Crm(name).name
        except SettingsError as error:
            raise ValueError(str(error)) from None

    @field_validator("resources", "cadence_minutes")
    @classmethod
    def _are_allowed(cls, given: Collection[str]) -> Collection[str]:
        if unknown := sorted(set(given) - set(ENDPOINTS)):
            raise ValueError(f"unknown resources: {', '.join(unknown)}. The resources are {', '.join(ENDPOINTS)}")
        for minutes in given.values() if isinstance(given, Mapping) else ():
            EndpointSettings(cadence_minutes=minutes)
        return given

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """What `dg` shows of the component."""
        return dg.ComponentTypeSpec(tags=["crm", "dlt", "duckdb"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Everything of the CRM. Settings are read when a run starts, apart from those of schedules."""
        crm = Crm(self.name)
        models, missing = buildable(load_models(), self.resources)
        raw = build_raw_assets(crm, self.resources)
        tables = build_model_assets(crm, models)
        reports = [build_sales_review(crm, models)] if missing.isdisjoint(tables_read()) else []
        built, published = [*tables, *reports], build_published_database(crm, [*raw, *tables])
        cross_checks = build_model_checks(crm, models, missing)
        jobs = build_jobs(crm, raw, tables, reports, cross_checks)
        cadences = read_cadences(crm, self.resources, self.cadence_minutes)
        assets = [*raw, *built, published]
        everything = dg.Definitions(
            assets=dg.map_asset_specs(partial(kept_fresh, cadences=cadences), assets),
            asset_checks=cross_checks,
            jobs=[*jobs.values(), build_check_job(crm)],
            schedules=build_schedules(crm, jobs, cadences, self.start_minute),
            sensors=[
                build_publishing_sensor(crm, jobs["publish"], {asset.key for asset in assets}),
                build_model_sensor(crm, jobs["crm_build"], raw, [*built, published], cross_checks),
            ],
            resources=RESOURCES,
            loggers=LOGGERS,
        )
        further = [*([build_digest(crm)] if reports else []), *([build_maintenance(crm)] if has_maintenance() else [])]
        return dg.Definitions.merge(everything, *further)


def buildable(models: Iterable[Model], resources: Collection[str]) -> tuple[list[Model], set[str]]:
    """The models that need no other resources, and the addresses of the tables that are missing for the others."""
    kept, missing = [*models], {f"{RAW}.{resource}" for resource in ENDPOINTS if resource not in resources}
    while lacking := [model for model in kept if not missing.isdisjoint(model.depends_on)]:
        missing |= {model.address for model in lacking}
        kept = [model for model in kept if model not in lacking]
    return kept, missing
