"""Before a run reads or builds anything, what is stored follows the personal-data policy that the settings ask for."""

from collections.abc import Callable, Collection, Iterable, Mapping
from graphlib import TopologicalSorter

import duckdb

from crm_assets.settings import CrmSettings
from crm_assets.source.typing.redaction import is_personal_name
from crm_assets.sql_models.builds import ModelError, WrongRows, build
from crm_assets.sql_models.model import Model
from crm_assets.warehouse.conversion import follow_policy
from crm_assets.warehouse.policy import Policy, is_erased, stored_policy
from crm_assets.warehouse.warehouse import Warehouse


def follow_personal_data_policy(
    warehouse: Warehouse, settings: CrmSettings, models: Iterable[Model], announce: Callable[[str], object]
) -> None:
    """Converts what is stored after a change of the policy, and makes models anew that were built from it.

    Nothing is left of what was taken out, neither in the database's file nor in the published copy. A run that was
    killed on the way leaves the rest to the next one.

    Args:
        warehouse: Nobody else has it open, or it is waited for.
        settings: With the policy.
        models: All models.
        announce: Called with sentences about what was changed: names and counts, no values.
    """
    try:
        with warehouse.read_connection() as connection:
            follows = stored_policy(connection) == Policy.of(settings)
            if follows and is_erased(connection):
                return
    except FileNotFoundError:
        return  # nothing is stored
    with warehouse.get_connection() as connection:
        converted = follow_policy(connection, settings, _histories(connection, models))
        make_anew(connection, models, converted.dropped, announce)
        must_erase = not is_erased(connection)
    for sentence in converted.sentences:
        announce(sentence)
    if must_erase:
        warehouse.erase()
        announce("The database's file and the published copy are written anew, without what was taken out")


def make_anew(
    connection: duckdb.DuckDBPyConnection,
    models: Iterable[Model],
    addresses: Collection[str],
    announce: Callable[[str], object],
) -> None:
    """Builds models again whose tables were dropped. One that cannot be built waits for the next run that builds it."""
    known = {model.address: model for model in models}
    order = TopologicalSorter({address: model.depends_on for address, model in known.items()}).static_order()
    for model in [known[address] for address in order if address in known and address in addresses]:
        try:
            build(connection, model)
        except (ModelError, WrongRows) as error:
            announce(f"{model.address} is gone until it is built again: {error}")


def _histories(connection: duckdb.DuckDBPyConnection, models: Iterable[Model]) -> Mapping[str, Collection[str]]:
    """Incremental models keep rows that cannot be made again. Their columns that may be personal."""
    kept = {model.address for model in models if model.materialized == "incremental"}
    columns = connection.execute(
        "select table_schema || '.' || table_name, column_name from information_schema.columns"
    ).fetchall()
    return {
        address: [column for table, column in columns if table == address and is_personal_name(column)]
        for address in kept
    }
