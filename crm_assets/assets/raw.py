"""The raw assets: one op per resource, so that a failure neither stops nor repeats the others."""

import time
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from glob import escape
from pathlib import Path

import dagster as dg
import dlt
import duckdb
from dagster_dlt import DagsterDltResource, DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData
from pydantic import Field, field_validator

from crm_assets.api import ENDPOINTS
from crm_assets.assets.attributes import (
    OWNERS,
    asset_key,
    code_references,
    declared_columns,
    log_with_checks,
    masked_metadata,
    raw_metadata,
    reported,
    retry_policy,
)
from crm_assets.assets.failures import failures_explained
from crm_assets.assets.raw_checks import check_results, check_specs
from crm_assets.connection import CrmConnection
from crm_assets.console import ReadProgress
from crm_assets.errors import NotErased, SettingsError
from crm_assets.loading.landing import landing_pipeline
from crm_assets.loading.load import LoadPackage, little_memory
from crm_assets.loading.load import load as load_package
from crm_assets.loading.raw_tables import stored_types
from crm_assets.loading.shared_tables import SIDE_LOADED, create_in_lake
from crm_assets.loading.sync_log import LOAD_COUNTER, ListRequest, count_read, loaded_from, read_cursor, recent_requests
from crm_assets.masking import masked
from crm_assets.privacy.forgetting import listed_but_forgotten
from crm_assets.privacy.policy import Policy, ReadRules
from crm_assets.settings import Crm, CrmSettings, setting_name
from crm_assets.source import schemas
from crm_assets.source.crm_source import ReadState, crm_read
from crm_assets.source.reading.incremental import Cursor
from crm_assets.source.reading.report import ReadMode
from crm_assets.warehouse.private_files import private_files
from crm_assets.warehouse.tables import RAW, can_be_read
from crm_assets.warehouse.transactions import commits_noted, committed, reading, tables_known
from crm_assets.warehouse.warehouse import Warehouse

PAUSE = 1.0
"""Seconds in which a command that has removed values takes the lock again to erase them."""


class ReadConfig(dg.Config):
    """The run configuration of a raw asset."""

    mode: ReadMode = Field(
        default=ReadMode.full,
        description=(
            "full: read every page; the only way to detect records that vanished from the list. "
            "incremental: read the newest changes only, back to those that are already loaded."
        ),
    )

    @field_validator("mode", mode="before")
    @classmethod
    def _empty_is_the_default(cls, mode: ReadMode | None) -> ReadMode:
        return mode or ReadMode.full


@dataclass
class RawTranslator(DagsterDltTranslator):
    """Describes the one dlt resource of a read as its asset."""

    spec: dg.AssetSpec

    def get_asset_spec(self, data: DltResourceTranslatorData) -> dg.AssetSpec:
        """The asset spec of the resource."""
        return self.spec


def raw_spec(crm: Crm, resource: str) -> dg.AssetSpec:
    """The asset spec of a resource, from its endpoint and its declared schema."""
    endpoint, schema = ENDPOINTS[resource], schemas.resource_schema(resource)
    schema_file = Path(schemas.__file__).parent / "schemas" / f"{resource}.yaml"
    return dg.AssetSpec(
        key=asset_key(crm, f"{RAW}.{resource}"),
        group_name=crm.named(RAW),
        description=(
            f"{schema.description}\n\n"
            f"Mirrors the array `{endpoint.data_selector}` of `GET {endpoint.path}`, merged by `id`. "
            "Rows are never deleted: staging hides those that vanished from the list."
        ),
        kinds={"dlt", "duckdb"},
        owners=OWNERS,
        metadata={
            "dagster/table_name": f"{RAW}.{resource}",
            "dagster/column_schema": declared_columns(schema),
            "dagster/code_references": code_references(
                {schema_file: "declared columns", Path(__file__): "asset"}, "docs/api.md"
            ),
        },
    )


def build_raw_assets(crm: Crm, resources: Collection[str]) -> list[dg.AssetsDefinition]:
    """The assets that load resources of a CRM."""
    return [raw_asset(crm, resource) for resource in ENDPOINTS if resource in resources]


def raw_asset(crm: Crm, resource: str) -> dg.AssetsDefinition:
    """The asset that loads one resource. Source, pipeline and settings are created when it runs."""
    spec = raw_spec(crm, resource)

    @dg.multi_asset(
        name="__".join(spec.key.path),
        specs=[spec],
        check_specs=check_specs(crm, resource),
        can_subset=True,
        retry_policy=retry_policy(crm),
    )
    def load(  # Dagster injects resources by parameter
        context: dg.AssetExecutionContext,
        config: ReadConfig,
        crm_connection: CrmConnection,
        crm_warehouse: Warehouse,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult | dg.AssetCheckEvaluation]:  # type: ignore[type-arg]
        warehouse, selected = crm_warehouse.of(crm), context.selected_asset_check_keys
        if not context.selected_asset_keys:
            with failures_explained(resource, crm), warehouse.read_connection() as connection:
                results = check_results(connection, crm, resource)
            yield from reported(results, selected)
            return
        began = time.perf_counter()

        with failures_explained(resource, crm), landing_pipeline(resource, warehouse.working_folder) as landing:
            settings = crm_connection.settings(crm)
            package = read_list(
                context, warehouse, settings, crm_connection.address(settings), config.mode, spec, landing
            )
            read_at = time.perf_counter()
            with (
                warehouse.get_connection(tables=package.tables, if_free=[SIDE_LOADED]) as connection,
                little_memory(connection),
            ):
                report, changes, notes = load_package(connection, package)
                with reading(connection):
                    metadata = raw_metadata(connection, report, package.load_id, changes)
                    checks = check_results(connection, crm, resource)
        for sentence in (*report.notes, *notes):
            context.log.info("%s: %s", resource, sentence)
        ended = time.perf_counter()
        made = f"{report.summary}; read in {read_at - began:.1f} s, loaded in {ended - read_at:.1f} s"
        log_with_checks(context.log, made, checks)
        metadata = {
            **metadata,
            "crm/source": package.request.base_url,
            "crm/rows_forgotten": package.rows_forgotten,
            "crm/build_seconds": round(ended - began, 3),
            "crm/seconds_reading": round(read_at - began, 3),
            "crm/seconds_loading": round(ended - read_at, 3),
        }
        if settings.requests_per_hour:
            metadata["crm/allowance_share"] = round(report.requests / settings.requests_per_hour, 4)
        yield dg.MaterializeResult(
            asset_key=spec.key,
            metadata=masked_metadata(metadata),
            # Each database counts its loads from 1.
            data_version=dg.DataVersion(f"{changes.version} of {masked(package.request.base_url)}"),
        )
        yield from reported(checks, selected)

    return load


def read_list(  # noqa: PLR0913, PLR0917 - all are needed, and there is one caller
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    settings: CrmSettings,
    base_url: str,
    mode: ReadMode,
    spec: dg.AssetSpec,
    landing: tuple[dlt.Pipeline, Path],
) -> LoadPackage:
    """Reads a resource into Parquet files of the landing pipeline. Returns what there is to load."""
    resource, (pipeline, landed), lake = spec.key.path[-1], landing, warehouse.lake
    asked, policy = settings.endpoint(resource).params, Policy.configured(settings)
    if policy != Policy():  # so that a change of what is kept is one of what is asked for
        asked = {**asked, "personal_data": str(policy)}
    request = ListRequest.of(base_url, settings.path(resource), asked)
    begin = partial(begin_read, warehouse, settings, request, resource, mode)
    try:
        rules, load_id, state, why_full = begin()
    except NotErased:
        time.sleep(PAUSE)  # a command that is about to erase takes the lock meanwhile
        rules, load_id, state, why_full = begin()
    if why_full:
        context.log.info("%s: %s: reading all pages", resource, why_full)
    progress = ReadProgress(resource, context.log.info)
    with (
        private_files(),
        lake.ledger(request.base_url) if lake else nullcontext() as ledger,
        crm_read(resource, settings, replace(state, ledger=ledger), progress.wait, progress.page) as read,
    ):
        [_] = DagsterDltResource().run(  # an iterator, which runs the pipeline
            context=context,
            dlt_source=read.source,
            dlt_pipeline=pipeline,
            dagster_dlt_translator=RawTranslator(spec),
            loader_file_format="parquet",
        )

    def confirm(connection: duckdb.DuckDBPyConnection) -> None:
        # It may have been loaded meanwhile.
        refuse_another_crm(connection, warehouse.crm, warehouse.name, request.base_url)
        rules.confirm(connection, resource, read.batches.skipped, load_id)

    return LoadPackage(
        crm=warehouse.crm,
        load_id=load_id,
        files=[escape(str(file)) for file in sorted(landed.iterdir())],
        types=read.batches.types,
        rows=read.batches.rows,
        side_loads=read.side_loads.table(),
        report=read.report(),
        request=request,
        rows_forgotten=len(read.batches.skipped),
        confirm=confirm,
        vanishing_share=settings.endpoint(resource).vanishing_share,
        keep_log_days=settings.keep_log_days,
    )


def begin_read(
    warehouse: Warehouse, settings: CrmSettings, request: ListRequest, resource: str, mode: ReadMode
) -> tuple[ReadRules, str, ReadState, str]:
    """Counts a read.

    Returns:
        What it may store, its load id, what is known from earlier reads, and why it is not incremental, if it should.
    """
    lake = warehouse.lake
    with warehouse.get_connection(tables=[LOAD_COUNTER]) as connection:
        if lake:
            lake.probe(connection)

        def begin() -> tuple[ReadRules, str, ReadState, str]:
            load_id = count_read(connection)
            with tables_known(connection):
                refuse_another_crm(connection, warehouse.crm, warehouse.name, request.base_url)
                rules = ReadRules.before_read(connection, warehouse.crm, settings)
                cursor = None
                if mode is ReadMode.incremental:
                    forgotten = listed_but_forgotten(connection, resource)
                    cursor = read_cursor(connection, resource, request, settings.incremental_lag, forgotten)
                state = ReadState(
                    cursor=cursor if isinstance(cursor, Cursor) else None,
                    types=stored_types(connection, resource),
                    sent=() if lake and lake.is_shared else recent_requests(connection),
                    forgotten=rules.forgotten,
                )
            return rules, load_id, state, cursor if isinstance(cursor, str) else ""

        with commits_noted():  # apart: an error of the read has to say that no table of records has changed
            if lake and not can_be_read(connection, LOAD_COUNTER):
                committed(connection, partial(create_in_lake, connection))
            return committed(connection, begin)


def refuse_another_crm(connection: duckdb.DuckDBPyConnection, crm: Crm, warehouse: str, configured: str) -> None:
    """Refuses to mix records: the warehouse must hold none of another CRM than the one at the configured address.

    Raises:
        SettingsError: It holds some.
    """
    loaded = loaded_from(connection) or configured
    if loaded == configured:
        return
    remedy = "give another name to the new one" if crm.name else "set CRM_DATA_DIR to a different folder for each"
    raise SettingsError(
        f"{warehouse} holds the records of {loaded}, but {setting_name('base_url')} is {configured}. "
        f"Records of two CRMs must not mix: {remedy}. If it is the same CRM at a new address, run: "
        f"{crm.command('accept-address')}"
    )
