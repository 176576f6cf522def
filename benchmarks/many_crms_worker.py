"""The process of `many_crms.py` that reads some CRMs: a line of its standard input is what to do with each of them."""

import resource
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import dagster as dg
import requests

from crm_assets.api import ENDPOINTS
from crm_assets.assets.raw import begin_read, build_raw_assets
from crm_assets.components.crm import LOGGERS, RESOURCES
from crm_assets.loading import side_loaded
from crm_assets.loading.landing import landing_pipeline
from crm_assets.loading.load import LoadPackage, little_memory, load
from crm_assets.loading.log_tables import LOAD_COUNTER
from crm_assets.loading.sync_log import ListRequest
from crm_assets.settings import Crm, resolve_settings
from crm_assets.source.crm_source import crm_read
from crm_assets.source.reading.report import ReadMode
from crm_assets.warehouse.transactions import committed
from crm_assets.warehouse.warehouse import Warehouse


def sync(warehouse: Warehouse, resource: str, mode: ReadMode) -> None:
    """Does what a raw asset does, without Dagster and checks: the same reads, locks, loads and commits."""
    crm, lake = warehouse.crm, warehouse.lake
    assert lake
    settings = resolve_settings(crm)
    with landing_pipeline(resource, warehouse.working_folder) as landing:
        request = ListRequest.of(str(settings.base_url), settings.path(resource), settings.endpoint(resource).params)
        with warehouse.get_connection(tables=[LOAD_COUNTER]) as connection:
            lake.probe_with(connection)
            begin = partial(begin_read, connection, warehouse, settings, request, resource, mode)
            rules, load_id, state, why_full = committed(connection, begin)
            assert not why_full, why_full
        with (
            lake.ledger(request.base_url) as ledger,
            crm_read(resource, settings, replace(state, ledger=ledger), print, lambda _: None) as read,
        ):
            landing.pipeline.run(read.source, loader_file_format="parquet")
        package = LoadPackage(
            crm=crm.name,
            load_id=load_id,
            files=landing.files,
            types=read.batches.types,
            rows=read.batches.rows,
            side_loads=read.side_loads.table(),
            report=read.report(),
            request=request,
            rows_forgotten=len(read.batches.skipped),
            confirm=partial(rules.confirm, resource=resource, skipped=read.batches.skipped, load_id=load_id),
            vanishing_share=settings.endpoint(resource).vanishing_share,
            keep_log_days=settings.keep_log_days,
        )
        with (
            warehouse.get_connection(tables=package.tables, if_free=[side_loaded.TABLE]) as connection,
            little_memory(connection),
        ):
            load(connection, package)


@dataclass
class Worker:
    """Its CRMs. The DuckDB instance of each stays open until the end, as it does for the steps of a run."""

    names: Sequence[str]
    lists: Sequence[str]
    warehouse: Warehouse
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    def do(self, what: str, name: str) -> None:
        """Does it with one CRM: a read of its lists in a mode, with or without Dagster, `maintenance` or `compare`."""
        warehouse = self.warehouse.of(Crm(name))
        if what == "maintenance":
            assert warehouse.lake
            warehouse.lake.maintain()
        elif what == "compare":
            for resource in self.lists:
                self._compare(warehouse, resource)
        elif what.startswith("dagster "):
            self._run(Crm(name), what.removeprefix("dagster "))
        else:
            for resource in self.lists:
                sync(warehouse, resource, ReadMode(what))

    def _run(self, crm: Crm, mode: str) -> None:
        assets = build_raw_assets(crm, self.lists)
        job = dg.Definitions(
            assets=assets, resources=RESOURCES, loggers=LOGGERS
        ).resolve_implicit_global_asset_job_def()
        config = {"ops": {asset.op.name: {"config": {"mode": mode}} for asset in assets}}
        assert job.execute_in_process(run_config=config, instance=self.instance).success

    @staticmethod
    def _compare(warehouse: Warehouse, resource: str) -> None:
        """Fails unless each record that the CRM lists is stored as it is served now."""
        settings, listed, page = resolve_settings(warehouse.crm), {}, 0
        assert settings.api_key
        while records := (
            requests.get(
                f"{str(settings.base_url).rstrip('/')}/{ENDPOINTS[resource].path.lstrip('/')}",
                params={"page": (page := page + 1), "per_page": 50},
                headers={settings.api_key_name: settings.api_key.get_secret_value()},
                timeout=60,
            )
            .json()
            .get(ENDPOINTS[resource].data_selector)
        ):
            listed |= {record["id"]: datetime.fromisoformat(record["updated_at"]).timestamp() for record in records}
        with warehouse.read_connection() as connection:
            stored = dict(connection.execute(f"select id, epoch(updated_at) from raw.{resource}").fetchall())
        missing = {(id_, at, stored.get(id_)) for id_, at in listed.items() if stored.get(id_) != at}
        assert listed
        assert not missing, (warehouse.crm.name, resource, missing)


def main() -> None:
    """Prints the CPU seconds of this process after each line."""
    lists, *names = sys.argv[1:]
    with ExitStack() as stack:
        warehouse = stack.enter_context(Warehouse().yield_for_execution(dg.build_init_resource_context()))
        worker = Worker(names, lists.split(","), warehouse)
        for line in sys.stdin:
            for name in worker.names:
                worker.do(line.strip(), name)
            used = resource.getrusage(resource.RUSAGE_SELF)
            print("CPU", used.ru_utime + used.ru_stime, flush=True)


if __name__ == "__main__":
    main()
