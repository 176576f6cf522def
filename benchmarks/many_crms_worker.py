"""What a process of `many_crms.py` does with its CRMs."""

import os
import resource
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cache
from pathlib import Path

import dagster as dg
import requests

from crm_assets.api import ENDPOINTS
from crm_assets.assets.raw import build_raw_assets
from crm_assets.components.crm import LOGGERS, RESOURCES
from crm_assets.settings import Crm, resolve_settings
from crm_assets.warehouse.warehouse import Warehouse

_open = ExitStack()


def begin(folder: Path) -> None:
    """Makes a folder the working folder of this process, whose output goes to a file in it."""
    os.chdir(folder)
    with Path("output").open("wb") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)


def do(what: str, names: Sequence[str], lists: Sequence[str]) -> float:
    """Reads lists of CRMs in a mode, or does `maintenance` or `compare`: the CPU seconds of this process until now."""
    for name in names:
        warehouse = _warehouse().of(Crm(name))
        if what == "maintenance":
            assert warehouse.lake
            warehouse.lake.maintain()
        elif what == "compare":
            for listed in lists:
                _compare(warehouse, listed)
        else:
            _run(Crm(name), lists, what)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@cache
def _warehouse() -> Warehouse:
    """The DuckDB instance of each CRM stays open until the process ends, as it does for the steps of a run."""
    return _open.enter_context(Warehouse().yield_for_execution(dg.build_init_resource_context()))


def _run(crm: Crm, lists: Sequence[str], mode: str) -> None:
    assets = build_raw_assets(crm, lists)
    code_location = dg.Definitions(assets=assets, resources=RESOURCES, loggers=LOGGERS)
    config = {"ops": {asset.op.name: {"config": {"mode": mode}} for asset in assets}}
    with dg.DagsterInstance.ephemeral() as instance:
        job = code_location.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(run_config=config, instance=instance).success


def _compare(warehouse: Warehouse, listed: str) -> None:
    """Fails unless each record that the CRM lists is stored as it is served now."""
    settings, endpoint = resolve_settings(warehouse.crm), ENDPOINTS[listed]
    assert settings.api_key
    served, page = dict[int, float](), 0
    while records := (
        requests.get(
            f"{str(settings.base_url).rstrip('/')}/{endpoint.path.lstrip('/')}",
            params={"page": (page := page + 1), "per_page": 50},
            headers={settings.api_key_name: settings.api_key.get_secret_value()},
            timeout=60,
        )
        .json()
        .get(endpoint.data_selector)
    ):
        served |= {record["id"]: datetime.fromisoformat(record["updated_at"]).timestamp() for record in records}
    with warehouse.read_connection() as connection:
        stored = dict(connection.execute(f"select id, epoch(updated_at) from raw.{listed}").fetchall())
    missing = {(id_, at, stored.get(id_)) for id_, at in served.items() if stored.get(id_) != at}
    assert served
    assert not missing, (warehouse.crm.name, listed, missing)
