"""What an asset has in Dagster: its key, owner, retries, links to code, metadata of its table, results of its checks.

Dagster keeps metadata for as long as it keeps a run, and shows them without a password, so they hold no value of a
record. Instead, they have the statement that shows rows.
"""

import logging
import warnings
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from crm_assets.api import UPDATED_AT
from crm_assets.dagster_internals import FailuresOnly
from crm_assets.errors import counted
from crm_assets.loading.changes import Changes
from crm_assets.loading.raw_tables import raw_table
from crm_assets.masking import masked
from crm_assets.runner.templates import Relation
from crm_assets.settings import DEFAULT_CRM, Crm, setting_at_load
from crm_assets.settings.documents import PACKAGE_PARENT, checkout
from crm_assets.source.reading.report import ReadReport
from crm_assets.source.schemas import ResourceSchema, resource_schema
from crm_assets.warehouse.tables import RAW


def asset_key(crm: Crm, address: str) -> dg.AssetKey:
    """The asset key of a CRM's table or view: `marts/task_backlog` for `marts.task_backlog`."""
    return dg.AssetKey(crm.path(address))


OWNERS = ("team:sales-operations",)


@cache
def retry_policy(crm: Crm = DEFAULT_CRM) -> dg.RetryPolicy:
    """Three retries of a CRM's asset, after 30, 60 and 120 s (`asset_retry_delay`), with jitter."""
    # A wrong value is reported by the run.
    delay = setting_at_load("asset_retry_delay", crm=crm)
    return FailuresOnly(max_retries=3, delay=delay, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


def code_references(files: Mapping[Path, str], page: str) -> dg.CodeReferencesMetadataValue:
    """The metadata value for `dagster/code_references`.

    Args:
        files: File -> label.
        page: The page of the documentation, relative to the project. An installed package has none.
    """
    project = checkout()
    linked = {**files, **({project / page: "documentation"} if project else {})}
    with warnings.catch_warnings():
        # Two warnings per asset would bury a command's output.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.CodeReferencesMetadataValue(
            code_references=[_reference(path, label) for path, label in linked.items()]
        )


def _reference(path: Path, label: str) -> dg.LocalFileCodeReference | dg.UrlCodeReference:
    repository = _repository()
    if repository and path.is_relative_to(PACKAGE_PARENT):
        return dg.UrlCodeReference(url=f"{repository}/{path.relative_to(PACKAGE_PARENT).as_posix()}", label=label)
    return dg.LocalFileCodeReference(file_path=str(path), label=label)


@cache
def _repository() -> str:
    """The setting `repository_url`, read once and not for each asset."""
    return (setting_at_load("repository_url") or "").rstrip("/")


OWN_COLUMNS = {
    "_dlt_load_id": "The load that saw this record last; `raw.sync_log` has when it was, and what was read.",
    "_dlt_id": "Row id, regenerated on every load.",
}
"""Columns that every raw table has beside its list's fields -> description."""


def masked_metadata(value: Any) -> Any:
    """Metadata, a value of it, or what one is made from, with all secrets masked in its texts."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {masked(str(key)): masked_metadata(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [*map(masked_metadata, value)]
    if isinstance(value, dg.MarkdownMetadataValue):
        return dg.MetadataValue.md(masked(value.value))
    return value


def declared_columns(schema: ResourceSchema) -> dg.TableSchema:
    """The declared columns of a raw table, with dlt's type names."""
    return dg.TableSchema(
        [_column(name, c.data_type, c.nullable, c.description, c.personal) for name, c in schema.columns.items()]
    )


OF_READ = ("complete", "requests", "retries", "rows_read", "rows_rejected")
"""Numbers of a read that are shown as they are."""


def raw_metadata(
    connection: duckdb.DuckDBPyConnection, report: ReadReport, load_id: str, changes: Changes
) -> Mapping[str, Any]:
    """The metadata of a raw materialization: the numbers of the read, and the current table."""
    declared = resource_schema(report.resource).columns
    address = f"{RAW}.{report.resource}"
    changed_at = UPDATED_AT if UPDATED_AT in declared else "null::timestamptz"
    newest = f"max({changed_at}) filter ({changed_at} <= $at)"
    table = raw_table(report.resource)
    counts = f"select count(*), epoch($at - {newest}) from {table}"
    [[rows, lag]] = connection.execute(counts, {"at": report.started_at}).fetchall()
    metadata: dict[str, Any] = {
        "crm/mode": report.mode.value,
        **{f"crm/{name}": getattr(report, name) for name in OF_READ},
        "crm/seconds_waiting": round(report.seconds_waiting, 3),
        "crm/fields_left_out": len(report.dropped_fields),
        "crm/load_id": load_id,
        "crm/rows_before": rows - changes.new,
        "crm/rows_after": rows,
        **{f"crm/rows_{name}": getattr(changes, name) for name in ("new", "changed", "vanished", "returned")},
        "crm/rows": rows_statement(address),
        "dagster/row_count": rows,
        "dagster/table_name": address,
        "dagster/column_schema": table_columns(
            # For information_schema.columns DuckDB binds all views.
            connection.execute('select name, type, not "notnull" from pragma_table_info(?)', [table]).fetchall(),
            descriptions=OWN_COLUMNS | {name: column.description for name, column in declared.items()},
            personal={name for name, column in declared.items() if column.personal},
        ),
    }
    if report.rows_in_source is not None:
        metadata["crm/rows_in_source"] = report.rows_in_source
    if lag is not None:
        metadata["crm/lag_seconds"] = round(lag)
    return metadata


def rows_statement(address: str) -> dg.MarkdownMetadataValue:
    """The statement that shows the first rows of a table or view."""
    schema, _, table = address.partition(".")
    return dg.MetadataValue.md(f"```sql\nfrom {Relation(schema, table)} limit 10\n```")


def table_columns(
    found: Iterable[tuple[Any, ...]], descriptions: Mapping[str, str], personal: Container[str] = ()
) -> dg.TableSchema:
    """Columns of a table or view, with any descriptions.

    Args:
        found: Their names and types, and whether they can be null, which they can if it is left out.
        descriptions: Column -> description.
        personal: Those that may hold personal data, in lower case.
    """
    return dg.TableSchema(
        [
            _column(name, type_, nullable != [False], descriptions.get(name), name.lower() in personal)
            for name, type_, *nullable in found
        ]
    )


def _column(name: str, type_: str, nullable: bool, description: str | None, personal: bool) -> dg.TableColumn:
    return dg.TableColumn(
        name=masked(name),  # of an undeclared field: the API may send any
        type=type_,
        description=description,
        constraints=dg.TableColumnConstraints(nullable=nullable, unique=name == "id"),
        tags={"personal_data": ""} if personal else {},
    )


def reported(
    evaluations: Iterable[dg.AssetCheckEvaluation], selected: Collection[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckEvaluation | dg.AssetCheckResult]:
    """Evaluations as an op yields them: for checks that were selected, Dagster expects results."""
    for found in evaluations:
        yield result_of(found) if found.asset_check_key in selected else found


def result_of(found: dg.AssetCheckEvaluation) -> dg.AssetCheckResult:
    """The result of a check that was selected. Dagster adds what its spec says, and the materialization it is about."""
    return dg.AssetCheckResult(
        asset_key=found.asset_key,
        check_name=found.check_name,
        passed=found.passed,
        metadata=found.metadata,
        severity=found.severity,
        description=found.description,
    )


def log_with_checks(
    log: logging.Logger,
    made: str,
    results: Sequence[dg.AssetCheckEvaluation],
    level: int = logging.INFO,
) -> None:
    """Logs what was made and how many checks passed, at `level`, or as a warning that names failed checks.

    Findings of checks are not logged, since they can show values. The UI shows them.
    """
    failed = [result.check_name for result in results if not result.passed]
    if failed:
        log.warning("%s; %d of %d checks failed: %s", made, len(failed), len(results), ", ".join(failed))
    else:
        log.log(level, "%s; %s passed", made, counted(len(results), "check"))
