"""The code location: a raw asset for each resource, the models built from them, jobs and schedules."""

from dagster import Definitions, get_dagster_logger
from dagster_dlt import DagsterDltResource

from crm_assets.assets.maintenance import MAINTENANCE_ASSETS
from crm_assets.assets.models import MODEL_ASSETS, MODEL_CHECKS
from crm_assets.assets.published import published_database
from crm_assets.assets.raw import RAW_ASSETS
from crm_assets.assets.reports import sales_review
from crm_assets.automation.crm_check import crm_check
from crm_assets.automation.executor import configured_executor
from crm_assets.automation.following import build_what_changed, following
from crm_assets.automation.freshness import with_freshness
from crm_assets.automation.jobs import JOBS
from crm_assets.automation.retention import delete_old_runs
from crm_assets.automation.schedules import SCHEDULES
from crm_assets.automation.sensors import SENSORS
from crm_assets.connection import CrmConnection
from crm_assets.console.logger import CONSOLE, console_logger
from crm_assets.console.progress import ReadProgress
from crm_assets.settings import unknown_variables
from crm_assets.warehouse.warehouse import Warehouse

for sentence in unknown_variables():
    get_dagster_logger().warning(sentence)

defs = Definitions(
    assets=[
        *with_freshness([*RAW_ASSETS, *following([*MODEL_ASSETS, published_database, sales_review], RAW_ASSETS)]),
        *MAINTENANCE_ASSETS,
    ],
    asset_checks=MODEL_CHECKS,
    jobs=[*JOBS, crm_check],
    schedules=SCHEDULES,
    sensors=[*SENSORS, build_what_changed, delete_old_runs],
    resources={
        "crm": CrmConnection(),
        "dlt": DagsterDltResource(),
        "progress": ReadProgress(),
        "warehouse": Warehouse(),
    },
    loggers={CONSOLE: console_logger},
    executor=configured_executor(),
)
