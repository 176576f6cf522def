"""The code location: a raw asset for each resource, the models built from them, jobs and schedules, for each CRM."""

from dagster import Definitions, get_dagster_logger
from dagster_dlt import DagsterDltResource

from crm_assets.alerts.reporting import ReportingWarehouse, send_alerts
from crm_assets.assets.maintenance import MAINTENANCE_ASSETS
from crm_assets.assets.model_checks import build_model_checks
from crm_assets.assets.models import build_model_assets
from crm_assets.assets.published import build_published_database
from crm_assets.assets.raw import build_raw_assets
from crm_assets.assets.reports import build_sales_review
from crm_assets.automation.cadence import read_cadences
from crm_assets.automation.changed_models import build_model_sensor
from crm_assets.automation.crm_check import build_check_job
from crm_assets.automation.executor import configured_executor
from crm_assets.automation.freshness import allowed_age, with_freshness
from crm_assets.automation.jobs import MAINTENANCE_JOBS, build_jobs
from crm_assets.automation.retention import delete_old_runs
from crm_assets.automation.schedules import MAINTENANCE_SCHEDULES, build_schedules
from crm_assets.automation.sensors import build_publishing_sensor
from crm_assets.connection import CrmConnection
from crm_assets.console.logger import CONSOLE, console_logger
from crm_assets.console.progress import ReadProgress
from crm_assets.settings import Crm, configured_crms, unknown_variables
from crm_assets.sql_models.loading import load_models

for sentence in unknown_variables():
    get_dagster_logger().warning(sentence)

models = load_models()


def crm_definitions(crm: Crm) -> Definitions:
    """Everything of one CRM."""
    raw = build_raw_assets(crm)
    built = build_model_assets(crm, models)
    ends = [build_published_database(crm, [*raw, *built]), build_sales_review(crm)]
    assets = [*raw, *built, *ends]
    jobs = build_jobs(crm, raw)
    cadences = read_cadences(crm)
    ages = {asset.key: allowed_age(asset.key, cadences) for asset in assets}
    return Definitions(
        assets=[*with_freshness(assets, ages)],
        asset_checks=build_model_checks(crm, models),
        jobs=[*jobs.all, build_check_job(crm)],
        schedules=build_schedules(crm, jobs, cadences),
        sensors=[
            build_publishing_sensor(crm, jobs.publish, ages.keys()),
            build_model_sensor(crm, raw, [*built, *ends]),
        ],
    )


def shared_definitions() -> Definitions:
    """What there is once, however many CRMs are read."""
    return Definitions(
        assets=MAINTENANCE_ASSETS,
        jobs=MAINTENANCE_JOBS,
        schedules=MAINTENANCE_SCHEDULES,
        sensors=[send_alerts, delete_old_runs],
        resources={
            "crm": CrmConnection(),
            "dlt": DagsterDltResource(),
            "progress": ReadProgress(),
            "warehouse": ReportingWarehouse(),
        },
        loggers={CONSOLE: console_logger},
        executor=configured_executor(),
    )


defs = Definitions.merge(*map(crm_definitions, configured_crms()), shared_definitions())
