"""The models as assets: a `.sql` file becomes a view or table, and its `from raw.accounts` a dependency."""

import logging
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

from crm_assets.assets.attributes import (
    OWNERS,
    asset_key,
    code_references,
    log_with_checks,
    masked_metadata,
    reported,
    retry_policy,
    rows_statement,
    table_columns,
)
from crm_assets.assets.failures import failures_explained
from crm_assets.assets.model_checks import evaluation, tested, undocumented
from crm_assets.dagster_internals import latest_evaluations
from crm_assets.errors import WrongRows, counted
from crm_assets.loading.shared_tables import create_side_loaded
from crm_assets.masking import masked
from crm_assets.privacy.personal_columns import origins_of, personal_columns, stored_columns
from crm_assets.runner.builds import Build, build
from crm_assets.runner.lineage import Schemas, known_columns
from crm_assets.runner.model import SIDE_LOADED, Model, asset_behind
from crm_assets.runner.unchanged import TABLE as BUILDS
from crm_assets.runner.unchanged import BuildState, is_current, report_in
from crm_assets.settings import Crm, CrmSettings, resolve_settings
from crm_assets.settings.finding import NOT_FOR_MODELS
from crm_assets.warehouse.transactions import reading
from crm_assets.warehouse.warehouse import Warehouse

ONLY_IF_CHANGED = dg.Field(
    bool,
    default_value=False,
    description="true: leave the table alone if its inputs, SQL and tests are as at its last build. Jobs do so.",
)
FULL_REFRESH = dg.Field(
    bool,
    default_value=False,
    description="true: rebuild the table from what the model's SELECT returns now. Rows of earlier builds are lost and "
    "cannot be recovered from the CRM: copy the published database first.",
)
ROWS_ARE_LOST = (
    "%s is rebuilt, since full_refresh is true. Its rows of earlier builds cannot be recovered from the CRM: until "
    "this run ends, the published copy still has them"
)

Result = tuple[Mapping[str, Any], Sequence[dg.AssetCheckEvaluation]]
"""What Dagster shows about a table: metadata, and the results of its checks."""

OWNER = re.compile(r"team:.+|[a-z\d._%+-]+@[a-z\d.-]+\.[a-z]{2,7}", re.IGNORECASE | re.ASCII)
"""Dagster's owners of assets. dbt has any text under `meta.owner`."""

NO_TAG, NO_GROUP, LONGEST_TAG = re.compile(r"[^\w.-]", re.ASCII), re.compile(r"\W", re.ASCII), 63
"""What tags and groups of Dagster cannot have, and tags and schemas of dbt can."""

TIME_OF_MODELS = ".dagster/crm_time_of_models"
"""The tag of a run with the time of its models, and its id: a re-execution gets the tags of the first run. Dagster's UI
shows no tag that begins like this."""

AFTER_OTHERS = {"dagster/priority": "-1"}
"""Lowest priority: starts after all other steps, so that a first run finds what its raw assets side-loaded."""


def build_model_assets(crm: Crm, models: Iterable[Model]) -> list[dg.AssetsDefinition]:
    """The assets of all models of a CRM."""
    return [model_asset(crm, model) for model in models]


def model_asset(crm: Crm, model: Model) -> dg.AssetsDefinition:
    """The asset that builds and tests one model."""
    key = asset_key(crm, model.address)
    # The op fails if a check of severity error does.
    checks = [dg.AssetCheckSpec(test.name, asset=key, description=test.description) for test in model.own_tests]
    owner = str((model.config.get("meta") or {}).get("owner") or "")
    spec = dg.AssetSpec(
        key,
        deps=[asset_key(crm, address) for address in sorted(model.depends_on)],
        group_name=NO_GROUP.sub("_", crm.named(model.schema)),
        description=_description(model),
        kinds={"duckdb", "csv" if model.materialized == "seed" else model.kind},
        owners=[owner] if OWNER.fullmatch(owner) else OWNERS,
        code_version=model.code_version,
        tags={NO_TAG.sub("_", str(tag))[:LONGEST_TAG] or "_": "" for tag in model.config.get("tags", ())},
        metadata={
            **({"owner": owner} if owner else {}),
            "dagster/table_name": model.address,
            "dagster/code_references": code_references(_files(model), "crm_assets/dbt/README.md"),
        },
    )

    @dg.multi_asset(
        name=key.to_python_identifier(),
        specs=[spec],
        check_specs=checks,
        can_subset=True,  # jobs select no checks
        retry_policy=retry_policy(crm),
        op_tags=AFTER_OTHERS if SIDE_LOADED in model.reads else {},
        config_schema={
            "only_if_changed": ONLY_IF_CHANGED,
            **({"full_refresh": FULL_REFRESH} if model.keeps_rows else {}),
        },
    )
    def build_model(
        context: dg.AssetExecutionContext, crm_warehouse: Warehouse
    ) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation | dg.MaterializeResult[Any]]:
        config, selected = context.op_execution_context.op_config, context.selected_asset_check_keys
        full_refresh = config.get("full_refresh", False)
        if full_refresh:
            context.log.warning(ROWS_ARE_LOST, model.address)
        with failures_explained(model.address, crm):
            settings, warehouse = resolve_settings(crm, NOT_FOR_MODELS), crm_warehouse.of(crm)
            if not context.selected_asset_keys:
                yield from reported(tested(crm, model, model.own_tests, crm_warehouse), selected)
                return
            source = dg.MetadataValue.text(masked(settings.source))
            may_stay = config["only_if_changed"] and not full_refresh
            shown = _shown(context.instance, key, [check.key for check in checks], source) if may_stay else None
            now = _time_of(context.instance, context.run_id) if model.asks_for_time else datetime.now(timezone.utc)
            try:
                metadata, evaluations = _unchanged_or_built(
                    model, warehouse, settings, shown, now, full_refresh=full_refresh
                )
            except WrongRows as refused:
                yield from reported((evaluation(key, outcome) for outcome in refused.outcomes), selected)
                raise
        # The materialization comes last: with it, all results of its checks are stored.
        yield from reported(evaluations, selected)
        yield dg.MaterializeResult[Any](asset_key=key, metadata={**metadata, "crm/source": source})

    return build_model


def _unchanged_or_built(  # noqa: PLR0913 # all that a build depends on
    model: Model,
    warehouse: Warehouse,
    settings: CrmSettings,
    shown: Result | None,
    now: datetime,
    *,
    full_refresh: bool,
) -> Result:
    """Builds a model, unless what Dagster shows about it (`shown`) is what a build would make at this time (`now`)."""
    today = now.astimezone(ZoneInfo(settings.reporting_timezone)).date().isoformat()
    state = warehouse.remembered(warehouse.stamp) if shown else None
    if shown and state and _is_shown(shown, replace(state, today=today), model):
        return shown
    with warehouse.get_connection(tables=[model.address], if_free=[BUILDS], keep=True) as connection:
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, now)
        # Others may have written before a file was opened. A lake is asked by `BuildState.of`.
        state = warehouse.last_remembered if warehouse.lake else warehouse.remembered(warehouse.stamp)
        if SIDE_LOADED in model.reads and not (state and SIDE_LOADED in state.tables):
            create_side_loaded(connection)  # no raw asset may have been loaded yet
        if shown:
            state = BuildState.of(connection, model.reads, state)
            if _is_shown(shown, state, model):
                warehouse.remember(state.snapshot if warehouse.lake else warehouse.stamp, state)
                return shown
        built = build(connection, model, full_refresh=full_refresh, known=state)
        stamp = built.state.snapshot if warehouse.lake else warehouse.stamp
        if (schemas := built.state.columns) is None:
            with reading(connection):
                schemas = known_columns(connection)
        warehouse.remember(stamp, replace(built.state, columns=schemas))
        return _made(warehouse.crm, model, built, schemas)


def _time_of(instance: dg.DagsterInstance, run_id: str) -> datetime:
    """The time for all models of a run that ask for it: when the first of them did. Each may have its own process."""
    run = instance.get_run_by_id(run_id)
    noted = run.tags.get(TIME_OF_MODELS, "").split() if run else []
    if noted[1:] == [run_id]:
        return datetime.fromisoformat(noted[0])
    now = datetime.now(timezone.utc)
    instance.add_run_tags(run_id, {TIME_OF_MODELS: f"{now.isoformat()} {run_id}"})
    return now


def last_shown(instance: dg.DagsterInstance, key: dg.AssetKey) -> Mapping[str, Any] | None:
    """What Dagster shows about an asset, such as its columns and rows. None if it knows of no materialization."""
    event = instance.get_latest_materialization_event(key)
    return event.asset_materialization.metadata if event and event.asset_materialization else None


def _shown(
    instance: dg.DagsterInstance, key: dg.AssetKey, checks: Sequence[dg.AssetCheckKey], source: dg.MetadataValue[Any]
) -> Result | None:
    """What Dagster shows about a table that may be left alone; None if it lacks something, or is of another source."""
    metadata, results = last_shown(instance, key) or {}, latest_evaluations(instance, checks)
    if len(results) < len(checks) or metadata.get("crm/source") != source:
        return None
    return {**metadata, "crm/built": False}, [results[check][0] for check in checks]


def _is_shown(shown: Result, state: BuildState, model: Model) -> bool:
    """Whether a build would make what Dagster shows. It does not show the build of a process that was killed."""
    metadata, _ = shown
    version = dg.MetadataValue.text(str(state.versions.get(model.address)))
    return metadata.get("crm/version") == version and is_current(state, model)


def _made(crm: Crm, model: Model, built: Build, schemas: Schemas) -> Result:
    """The metadata of a table that was built, and the results of its checks."""
    columns = list(stored_columns(model, schemas))
    personal, lineage = _traced(crm, model, schemas, columns)
    results = [evaluation(asset_key(crm, model.address), outcome) for outcome in built.outcomes]
    for advice in undocumented(model, columns):
        dg.get_dagster_logger().warning("%s: %s", model.address, advice)
    made = f"{model.address}: {counted(built.rows_after, 'row')}, built in {built.seconds:.1f} s"
    # Views take no time. With a line each they would bury those of the tables.
    level = logging.DEBUG if model.kind == "view" else logging.INFO
    log_with_checks(dg.get_dagster_logger(), made, results, level)
    metadata = {
        "crm/built": True,
        "crm/version": built.version,
        "crm/build_seconds": round(built.seconds, 3),
        **({} if built.rows_before is None else {"crm/rows_before": built.rows_before}),
        "crm/rows_after": built.rows_after,
        "crm/rows": rows_statement(model.address),
        "dagster/row_count": built.rows_after,
        "dagster/table_name": model.address,
        "dagster/column_schema": table_columns(built.columns.items(), model.columns, personal),
        **lineage,
    }
    return masked_metadata(metadata), results


def _traced(
    crm: Crm, model: Model, schemas: Schemas, columns: Sequence[str]
) -> tuple[Container[str], Mapping[str, dg.TableColumnLineage]]:
    """The columns that may hold personal data (all, if this cannot be traced), and the lineage of each column."""
    if model.materialized == "seed":
        return (), {}  # loaded from a file
    try:
        personal, lineage = personal_columns(model, schemas), origins_of(model, schemas)
    except Exception as error:  # noqa: BLE001 # missing lineage must not fail a run
        dg.get_dagster_logger().warning(f"No column lineage for {model.address}: {type(error).__name__}: {error}")
        return columns, {}
    deps = {
        column: [
            dg.TableColumnDep(asset_key(crm, source), name)
            for source, name in dict.fromkeys((asset_behind(f"{s}.{t}"), name) for s, t, name in origins)
            if source in model.depends_on
        ]
        for column, origins in lineage.items()
    }
    return personal, {"dagster/column_lineage": dg.TableColumnLineage(deps)}


def _description(model: Model) -> str:
    text = model.description or f"One row per line of {model.path.name}."
    return text if model.materialized == "seed" else f"{model.description}\n\n```sql\n{model.sql.strip()}\n```"


def _files(model: Model) -> Mapping[Path, str]:
    written = "CSV" if model.materialized == "seed" else "SQL"
    return {model.path: written, model.properties_path: "description and tests"} | {model.path: written}
