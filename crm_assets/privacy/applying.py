"""Removes values of stored data for good, of a policy or of forgotten records, and rebuilds the models."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial

import duckdb
from dagster import get_dagster_logger
from sqlglot.errors import SqlglotError

from crm_assets.api import ID
from crm_assets.errors import ModelError, WrongRows
from crm_assets.privacy.forgetting import Keys, Stored, forget, holds_ids, stored_records
from crm_assets.privacy.histories import histories_of
from crm_assets.privacy.personal_columns import origins_of, stored_columns
from crm_assets.privacy.policy import Policy, has_loads, is_erased, set_erased, stored_policy
from crm_assets.privacy.policy_change import change_policy, preview
from crm_assets.reports.page import csv_folder, page_path
from crm_assets.runner.builds import AUDIT, build
from crm_assets.runner.lineage import Schemas, known_columns
from crm_assets.runner.model import Model, asset_behind
from crm_assets.runner.unchanged import report_in
from crm_assets.settings import CrmSettings
from crm_assets.warehouse.names import RAW, existing_tables
from crm_assets.warehouse.private_files import remove_leftovers
from crm_assets.warehouse.warehouse import Warehouse


def pending_change(warehouse: Warehouse, settings: CrmSettings, models: Collection[Model]) -> Sequence[str]:
    """What `apply_policy` would do, in sentences with names and counts, without values; none if nothing.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection() as connection:
        follows = not has_loads(connection) or stored_policy(connection) == Policy.configured(settings)
        erased = is_erased(connection)
    if follows:
        return [] if erased else ["Removed values are not erased yet: a command was stopped before that"]
    with warehouse.get_connection() as connection:
        change = preview(connection, settings, histories_of(connection, models))
    return [*change.sentences, *_of_tables(change.dropped, models)]


def _of_tables(dropped: Collection[str], models: Iterable[Model]) -> Iterator[str]:
    made = {model.address for model in models}
    if unknown := sorted({*dropped} - made):
        yield f"Dropped, as no model makes them: {', '.join(unknown)}"
    if rebuilt := {*dropped} & made:
        yield f"{len(rebuilt)} tables of models are rebuilt"


def apply_policy(
    warehouse: Warehouse, settings: CrmSettings, models: Collection[Model], announce: Callable[[str], object]
) -> None:
    """Gives stored data the configured policy, and erases removed values for good.

    No table is half changed if this is stopped; the next call finishes it, and reads are refused until then.

    Args:
        warehouse: The warehouse. Waits while other processes use it.
        settings: The settings with the policy.
        models: All models. Those built from changed data are rebuilt.
        announce: Called with messages about models that could not be rebuilt.
    """
    with warehouse.get_connection() as connection:
        follows = stored_policy(connection) == Policy.configured(settings)
        change = change_policy(connection, settings, histories_of(connection, models))
        now = datetime.now(timezone.utc)
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, now)
        rebuild(connection, models, _missing(connection, models) if follows else change.dropped, announce)
        erased = is_erased(connection)
    if not erased:
        erase(warehouse, settings)


def records_to_forget(warehouse: Warehouse, models: Collection[Model], resource: str, ids: Collection[int]) -> Stored:
    """What `forget_records` would erase.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection() as connection:
        keys = _history_keys(connection, models, resource)
        return stored_records(connection, resource, ids, keys)


def tables_out_of_reach(warehouse: Warehouse, models: Collection[Model], resource: str) -> Sequence[str]:
    """Tables with rows of earlier builds that may hold values of a resource's records, but not their ids.

    `forget_records` cannot find the rows in them.
    """
    with warehouse.read_connection() as connection:
        keys = _history_keys(connection, models, resource)
        histories = histories_of(connection, models)
    readers = [model.address for model in models if f"{RAW}.{resource}" in _all_read(model)]
    named = {address for address, columns in histories.items() if any(column.may_hold_names for column in columns)}
    return [address for address in readers if address in named and address not in keys]


def _all_read(model: Model) -> Collection[str]:
    """The addresses of all tables that a model is built from, directly or not."""
    return model.depends_on.union(*map(_all_read, model.parents.values()))


def forget_records(
    warehouse: Warehouse, settings: CrmSettings, models: Collection[Model], resource: str, ids: Collection[int]
) -> Stored:
    """Erases records from every table, the database file and the published copy. Later reads skip them.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection():
        pass  # fails if there is no database
    with warehouse.get_connection() as connection:
        keys = _history_keys(connection, models, resource)
        tables = {address for address, kind in existing_tables(connection).items() if kind == "table"}
        audits = {address for address in tables if address.startswith(f"{AUDIT}.")}
        made = audits | {address for model in models if not model.keeps_rows and (address := model.address) in tables}
        unfinished = [] if is_erased(connection) else _missing(connection, models)
        erased = forget(connection, resource, ids, keys, made)
        now = datetime.now(timezone.utc)
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, now)
        rebuild(connection, models, [*made, *unfinished], get_dagster_logger().warning)
    erase(warehouse, settings)
    return erased


def erase(warehouse: Warehouse, settings: CrmSettings) -> None:
    """Erases removed values from all files: tables, the published copy, reports, what killed runs left."""
    # Reports show data of the tables. The next run creates them again.
    page = page_path(settings, warehouse.crm)
    for file in [*page.parent.glob(f"{page.stem}.*"), *csv_folder(page).glob("*")]:
        file.unlink(missing_ok=True)
    warehouse.erase(partial(set_erased, erased=True))
    remove_leftovers(warehouse.working_folder)


def _history_keys(connection: duckdb.DuckDBPyConnection, models: Iterable[Model], resource: str) -> Keys:
    """Address of each model with a history of the resource's records -> its columns with their ids."""
    schemas = known_columns(connection)
    return {
        model.address: keys
        for model in models
        if model.keeps_rows and stored_columns(model, schemas)
        if (keys := [k for k in _keys_of(model, resource, schemas) if holds_ids(connection, model.address, k)])
    }


def _keys_of(model: Model, resource: str, schemas: Schemas) -> Sequence[str]:
    """The key columns of a model with ids of a resource alone: one with ids of others does not tell whose they are."""
    try:
        return [key for key in model.unique_key if _ids_from(model, key.lower(), schemas) == {f"{RAW}.{resource}"}]
    except SqlglotError:
        return []


def _ids_from(model: Model, column: str, schemas: Schemas) -> Collection[str]:
    """The addresses of the raw tables whose ids a column holds, directly or through other models."""
    found = set[str]()
    for schema, table, name in origins_of(model, schemas).get(column, ()):
        address = asset_behind(f"{schema}.{table}")
        if address in model.parents:
            found.update(_ids_from(model.parents[address], name, schemas))
        elif name == ID:
            found.add(address)
    return found


def rebuild(
    connection: duckdb.DuckDBPyConnection,
    models: Iterable[Model],
    addresses: Collection[str],
    announce: Callable[[str], object],
) -> None:
    """Rebuilds models whose tables were dropped. If one fails, the next run that includes it builds it."""
    for model in [model for model in models if model.address in addresses]:
        try:
            build(connection, model)
        except (ModelError, WrongRows) as error:
            announce(f"{model.address} is missing until it is built again: {error}")


def _missing(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Collection[str]:
    """Tables that a killed run may have dropped and not rebuilt."""
    return _rebuilt(models) - existing_tables(connection).keys()


def _rebuilt(models: Iterable[Model]) -> set[str]:
    """The addresses of tables that each build replaces."""
    return {model.address for model in models if model.kind == "table" and not model.keeps_rows}
