"""Applies the personal-data policy to stored data, before a run reads or builds anything, and forgets records."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from graphlib import TopologicalSorter

import duckdb
from dagster import get_dagster_logger
from sqlglot.errors import SqlglotError

from crm_assets.api import ENDPOINTS, ID
from crm_assets.errors import ModelError, WrongRows
from crm_assets.privacy.forgetting import Stored, forget, stored_records
from crm_assets.privacy.personal_columns import origins_of, personal_columns
from crm_assets.privacy.policy import Policy, is_erased, stored_policy
from crm_assets.privacy.policy_change import follow_policy
from crm_assets.reports.files import page_path
from crm_assets.settings import CrmSettings
from crm_assets.sql_models.builds import build
from crm_assets.sql_models.lineage import Schemas, known_columns
from crm_assets.sql_models.model import DBT_COLUMNS, DELETED_COLUMN, Model, asset_behind
from crm_assets.sql_models.timezone import report_in
from crm_assets.warehouse.schemas import RAW, existing_tables
from crm_assets.warehouse.warehouse import Warehouse


@contextmanager
def following_policy(
    warehouse: Warehouse,
    settings: CrmSettings,
    models: Iterable[Model],
    announce: Callable[[str], object],
    tables: Collection[str] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to data that follow the personal-data policy. Converts them first after a change of it.

    Removed data remain neither in the database file nor in the published copy. If the run is killed, the next one
    finishes the conversion.

    Args:
        warehouse: The warehouse. Waits while other processes use it.
        settings: The settings with the policy.
        models: All models. Those built from converted data are rebuilt.
        announce: Called with messages about changes: names and counts, no values.
        tables: The only tables whose rows the caller changes. None: it changes nothing.

    Raises:
        NothingStored: There is nothing to read yet.
    """
    with ExitStack() as opened:
        connect = partial(warehouse.get_connection, read_only=tables is None, tables=tables or ())
        connection = opened.enter_context(connect())
        if not _follows(connection, settings):
            opened.close()
            _convert(warehouse, settings, models, announce)
            connection = opened.enter_context(connect())
        yield connection


def _follows(connection: duckdb.DuckDBPyConnection, settings: CrmSettings) -> bool:
    follows = stored_policy(connection) == Policy.of(settings) and is_erased(connection)
    # Without raw tables, nothing is stored that could not follow.
    return follows or existing_tables(connection).keys().isdisjoint(f"{RAW}.{resource}" for resource in ENDPOINTS)


def _convert(
    warehouse: Warehouse, settings: CrmSettings, models: Iterable[Model], announce: Callable[[str], object]
) -> None:
    with warehouse.get_connection() as connection:
        follows = stored_policy(connection) == Policy.of(settings)
        converted = follow_policy(connection, settings, _histories(connection, models))
        report_in(connection, settings.reporting_timezone)
        rebuild(connection, models, _missing(connection, models) if follows else converted.dropped, announce)
        must_erase = not is_erased(connection)
    for sentence in converted.sentences:
        announce(sentence)
    if unknown := set(converted.dropped) - {model.address for model in models}:
        announce(f"Dropped, as no model makes them: {', '.join(sorted(unknown))}")
    if must_erase:
        _erase(warehouse, settings)
        announce("All files with tables are rewritten without the removed data")


def records_to_forget(warehouse: Warehouse, models: Collection[Model], resource: str, ids: Collection[int]) -> Stored:
    """What `forget_records` would erase.

    Raises:
        NothingStored: There is no database.
    """
    with warehouse.read_connection() as connection:
        keys = _history_keys(models, resource, known_columns(connection))
        return stored_records(connection, resource, ids, keys)


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
        schemas = known_columns(connection)
        keys = _history_keys(models, resource, schemas)
        tables = [model for model in models if model.kind == "table" and not model.keeps_rows]
        made = [model.address for model in tables if model.name in schemas.get(model.folder, {})]
        erased = forget(connection, resource, ids, keys, made)
        report_in(connection, settings.reporting_timezone)
        rebuild(connection, models, made, get_dagster_logger().warning)
    _erase(warehouse, settings)
    return erased


def _erase(warehouse: Warehouse, settings: CrmSettings) -> None:
    # Reports show data of the tables. The next run creates them again.
    page = page_path(settings, warehouse.crm)
    for file in page.parent.glob(f"{page.stem}.*"):
        file.unlink(missing_ok=True)
    warehouse.erase()


def _history_keys(models: Iterable[Model], resource: str, schemas: Schemas) -> Mapping[str, str]:
    """Address of each model with a history of the resource's records -> its column with their ids."""
    known = {model.address: model for model in models}
    return {address: key for address, model in known.items() if (key := _key_of(model, known, resource, schemas))}


def _key_of(model: Model, known: Mapping[str, Model], resource: str, schemas: Schemas) -> str | None:
    """The key column of a model with a history of a resource's records; None if it has no history of them."""
    if not model.keeps_rows or model.name not in schemas.get(model.folder, {}):
        return None
    return next((key for key in model.unique_key if _is_id(model, key, known, resource, schemas)), None)


def _is_id(model: Model, column: str, known: Mapping[str, Model], resource: str, schemas: Schemas) -> bool:
    """Whether a column holds a resource's ids, directly or through other models."""
    for schema, table, name in origins_of(model, schemas).get(column, ()):
        address = asset_behind(f"{schema}.{table}")
        if (address, name) == (f"{RAW}.{resource}", ID):
            return True
        if address in known and _is_id(known[address], name, known, resource, schemas):
            return True
    return False


def rebuild(
    connection: duckdb.DuckDBPyConnection,
    models: Iterable[Model],
    addresses: Collection[str],
    announce: Callable[[str], object],
) -> None:
    """Rebuilds models whose tables were dropped. If one fails, the next run that includes it builds it."""
    known = {model.address: model for model in models}
    order = TopologicalSorter({address: model.depends_on for address, model in known.items()}).static_order()
    for model in [known[address] for address in order if address in known and address in addresses]:
        try:
            build(connection, model)
        except (ModelError, WrongRows) as error:
            announce(f"{model.address} is missing until it is built again: {error}")


def _missing(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Collection[str]:
    """Tables that a killed run may have dropped and not rebuilt."""
    schemas = known_columns(connection)
    tables = [model for model in models if model.kind == "table" and not model.keeps_rows]
    return [model.address for model in tables if model.name not in schemas.get(model.folder, {})]


def _histories(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Mapping[str, Collection[str]]:
    """Address of each model with rows of earlier builds -> its columns that may be personal."""
    known = {model.address: model for model in models}
    schemas = known_columns(connection)
    return {
        address: _personal_columns(model, known, schemas)
        for address, model in known.items()
        if model.keeps_rows and model.name in schemas.get(model.folder, {})
    }


def _personal_columns(model: Model, known: Mapping[str, Model], schemas: Schemas) -> Collection[str]:
    stored = schemas[model.folder][model.name]
    try:
        traced = personal_columns(model, known, schemas)
        # The origin of a column of an earlier version of the model is not known.
        return traced | (stored.keys() - origins_of(model, schemas).keys() - {*DBT_COLUMNS, *DELETED_COLUMN})
    except SqlglotError:
        return stored.keys()
