"""Removes values of stored data for good, of a policy or of forgotten records, and rebuilds the models."""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime, timezone
from functools import partial

import duckdb
from dagster import get_dagster_logger

from crm_assets.errors import ModelError, WrongRows, counted
from crm_assets.privacy.forgetting import Keys, Stored, forget, holds_ids, stored_records
from crm_assets.privacy.personal_columns import Histories, histories_of
from crm_assets.privacy.policy import Policy, has_loads, set_erased, stored_policy
from crm_assets.privacy.policy_change import RAW_TABLES, change_policy, preview
from crm_assets.reports.page import csv_folder, page_path
from crm_assets.runner.builds import AUDIT, build
from crm_assets.runner.model import Model
from crm_assets.runner.unchanged import report_in
from crm_assets.settings import CrmSettings
from crm_assets.warehouse.private_files import remove_leftovers
from crm_assets.warehouse.tables import RAW, existing_tables
from crm_assets.warehouse.warehouse import Warehouse


def pending_change(warehouse: Warehouse, settings: CrmSettings, models: Collection[Model]) -> Sequence[str]:
    """What `apply_policy` would do, in sentences with names and counts, without values; none if nothing.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection() as connection:
        stored, erased = stored_policy(connection)
        follows = not has_loads(connection) or stored == Policy.configured(settings)
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
        yield f"Rebuilt: {counted(len(rebuilt), 'table')} of models"


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
        change = change_policy(connection, settings, histories_of(connection, models))
        dropped = change.dropped if change.sentences else _unfinished(connection, models)
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, datetime.now(timezone.utc))
        rebuild(connection, models, dropped, announce)
        _, is_erased = stored_policy(connection)
    if not is_erased:
        erase(warehouse, settings)


def records_to_forget(
    warehouse: Warehouse, models: Collection[Model], resource: str, ids: Collection[int]
) -> tuple[Stored, Sequence[str], Sequence[str]]:
    """What `forget_records` would erase, tables in which it cannot find the rows, and tables that it leaves alone.

    The former have rows of earlier builds that may hold values of the resource's records, but not their ids. No read
    and no model makes the latter.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection() as connection:
        histories = histories_of(connection, models)
        keys = _history_keys(connection, histories, resource)
        stored = stored_records(connection, resource, ids, keys)
        tables = [address for address, kind in existing_tables(connection).items() if kind == "table"]
    made = RAW_TABLES.union(model.address for model in models)
    unknown = sorted(table for table in tables if table not in made and not table.startswith(f"{AUDIT}."))
    readers = [model.address for model in models if f"{RAW}.{resource}" in _all_read(model)]
    named = {address for address, columns in histories.items() if any(column.may_hold_names for column in columns)}
    return stored, [address for address in readers if address in named and address not in keys], unknown


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
        keys = _history_keys(connection, histories_of(connection, models), resource)
        tables = {address for address, kind in existing_tables(connection).items() if kind == "table"}
        kept = tables & {model.address for model in models if model.keeps_rows}
        of_models = {model.address for model in models}
        made = [table for table in tables - kept if table in of_models or table.startswith(f"{AUDIT}.")]
        _, is_erased = stored_policy(connection)
        unfinished = [] if is_erased else _unfinished(connection, models)
        erased = forget(connection, resource, ids, keys, made)
        report_in(connection, settings.reporting_timezone, settings.fiscal_year_start, datetime.now(timezone.utc))
        rebuild(connection, models, [*made, *unfinished, *kept], get_dagster_logger().warning)
    erase(warehouse, settings)
    return erased


def erase(warehouse: Warehouse, settings: CrmSettings) -> None:
    """Erases removed values from all files: tables, the published copy, reports, what killed runs left."""
    # Reports show data of the tables. The next run creates them again.
    page = page_path(settings, warehouse.crm)
    for path in [*page.parent.glob(f"{page.stem}.*"), *csv_folder(page).glob("*")]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # such as the copies that Jupyter keeps in .ipynb_checkpoints
        else:
            path.unlink(missing_ok=True)
    warehouse.erase(partial(set_erased, erased=True))
    remove_leftovers(warehouse.working_folder)


def _history_keys(connection: duckdb.DuckDBPyConnection, histories: Histories, resource: str) -> Keys:
    """Address of each table with a history of the resource's records -> its key columns with their ids alone.

    A column with ids of other resources as well does not tell whose they are.
    """
    found = {
        address: [c.name for c in columns if c.ids_of == {resource} and holds_ids(connection, address, c.name)]
        for address, columns in histories.items()
    }
    return {address: keys for address, keys in found.items() if keys}


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


def _unfinished(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Collection[str]:
    """Tables that a killed command may have dropped and not rebuilt, and those that it may not have added to."""
    tables, existing = [model for model in models if model.kind == "table"], existing_tables(connection)
    return [model.address for model in tables if model.keeps_rows == (model.address in existing)]
