"""The raw assets: an op for each resource, so that one that fails neither stops nor repeats the others."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Config,
    Failure,
    MaterializeResult,
    multi_asset,
)
from dagster_dlt import DagsterDltResource, DagsterDltTranslator, build_dlt_asset_specs
from dagster_dlt.constants import META_KEY_PIPELINE, META_KEY_SOURCE, META_KEY_TRANSLATOR
from dagster_dlt.translator import DltResourceTranslatorData
from pydantic import Field

from crm_assets.assets import policies
from crm_assets.assets.code_references import code_references
from crm_assets.assets.failures import failures_explained
from crm_assets.assets.raw_checks import check_results, check_specs
from crm_assets.assets.table_metadata import declared_columns, raw_metadata
from crm_assets.connection import CrmConnection
from crm_assets.source import schemas
from crm_assets.source.api import ENDPOINTS
from crm_assets.source.crm_source import crm_source, declared_source
from crm_assets.source.reading.report import ReadMode, ReadReport
from crm_assets.warehouse.loading import RAW, loaded_schema, warehouse_pipeline
from crm_assets.warehouse.lock import WarehouseBusy
from crm_assets.warehouse.sync_log import read_cursor, write_sync_log
from crm_assets.warehouse.warehouse import Warehouse

ONLY_FOR_DLT_ASSETS = {META_KEY_SOURCE, META_KEY_PIPELINE, META_KEY_TRANSLATOR}


class ReadConfig(Config):
    """The launchpad's configuration of a raw asset."""

    mode: ReadMode = Field(
        default=ReadMode.full,
        description=(
            "full: read every page; the only way to notice records that vanished from the list. "
            "incremental: read the newest changes, down to what is already loaded."
        ),
    )


class RawTranslator(DagsterDltTranslator):
    """Describes a dlt resource as the Dagster asset `raw/<resource>`."""

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The spec of a resource, from its endpoint and its declared schema."""
        resource = data.resource.name
        endpoint, schema = ENDPOINTS[resource], schemas.resource_schema(resource)
        schema_file = Path(schemas.__file__).parent / "schemas" / f"{resource}.yaml"
        return AssetSpec(
            key=AssetKey([RAW, resource]),
            group_name=RAW,
            description=(
                f"{schema.description}\n\n"
                f"Mirrors array `{endpoint.data_selector}` of `GET {endpoint.path}`, merged by `id`. "
                "Rows are never deleted: staging hides those that vanished from the list."
            ),
            kinds={"dlt", "duckdb"},
            owners=policies.OWNERS,
            metadata={
                "dagster/table_name": f"{RAW}.{resource}",
                "dagster/column_schema": declared_columns(schema),
                "dagster/code_references": code_references({schema_file: "declared columns", Path(__file__): "asset"}),
            },
        )


def raw_specs() -> Iterator[AssetSpec]:
    """The specs of all resources, without what dagster-dlt keeps in them for `@dlt_assets`: the whole source."""
    for spec in build_dlt_asset_specs(declared_source(), None, RawTranslator()):  # type: ignore[arg-type]
        metadata = {key: value for key, value in spec.metadata.items() if key not in ONLY_FOR_DLT_ASSETS}
        yield spec.replace_attributes(metadata=metadata)


def raw_asset(spec: AssetSpec) -> AssetsDefinition:
    """The asset that loads one resource. Source, pipeline and settings are made when it runs."""
    resource = spec.key.path[-1]

    @multi_asset(
        name=f"{RAW}__{resource}",
        specs=[spec],
        check_specs=check_specs(resource),
        can_subset=True,
        retry_policy=policies.retry_policy(),
    )
    def load(
        context: AssetExecutionContext,
        config: ReadConfig,
        dlt: DagsterDltResource,
        crm: CrmConnection,
        warehouse: Warehouse,
    ) -> Iterator[MaterializeResult | AssetCheckResult]:  # type: ignore[type-arg]
        if not context.selected_asset_keys:
            yield from checks_alone(warehouse, resource)
            return
        report = ReadReport(resource, mode=config.mode)
        metadata: dict[str, Any] = {}
        checks: list[AssetCheckResult] = []

        def committed(connection: duckdb.DuckDBPyConnection, load_id: str) -> None:
            write_sync_log(connection, report, load_id)
            metadata.update(raw_metadata(connection, report, load_id))
            checks.extend(check_results(connection, resource))

        with failures_explained(resource), warehouse_pipeline(resource, warehouse, committed) as pipeline:
            settings = crm.settings()
            schema, cursor = None, None
            with suppress(FileNotFoundError), warehouse.look() as connection:
                schema = loaded_schema(connection, resource)
                if config.mode is ReadMode.incremental:
                    cursor = read_cursor(connection, resource, settings.incremental_lag)
            if config.mode is ReadMode.incremental and cursor is None:
                context.log.info("An incremental read needs a complete full one before it: reading all pages")
            with crm_source(resource, settings, report, cursor) as source:
                if schema is not None:
                    schema.update_schema(source.schema)
                    source.schema = schema
                results = list(
                    dlt.run(
                        context=context,
                        dlt_source=source,
                        dlt_pipeline=pipeline,
                        dagster_dlt_translator=RawTranslator(),
                        loader_file_format="parquet",
                    )
                )
        for note in report.notes:
            context.log.info(note)
        for result in results:
            yield MaterializeResult(asset_key=result.asset_key, metadata=metadata, check_results=checks)

    return load


def checks_alone(warehouse: Warehouse, resource: str) -> list[AssetCheckResult]:
    """A raw asset's checks on the table as it is, for when they are executed without it."""
    try:
        with warehouse.get_connection(read_only=True) as connection:
            return check_results(connection, resource)
    except (WarehouseBusy, FileNotFoundError) as error:
        raise Failure(description=str(error), allow_retries=False) from None


RAW_ASSETS = [raw_asset(spec) for spec in raw_specs()]
