"""The table `raw.side_loaded`: side-loaded records such as users and stages."""

import duckdb
import pyarrow as pa

from crm_assets.warehouse.schemas import schemas_of

SIDE_LOADED = """
create schema if not exists {raw};
create table if not exists {raw}.side_loaded (
    array_name varchar not null,
    id bigint not null,
    record json not null,
    _dlt_load_id varchar not null
);
"""
"""One row per record of an array, from the newest read that had it. Rows are never deleted: a read has only the records
that its own records refer to."""

OTHER = """
select count(*) > 0
from side_loads
left join {raw}.side_loaded as stored on side_loads.array_name = stored.array_name and side_loads.id = stored.id
where
    stored.record is distinct from side_loads.record::json
    and coalesce(stored._dlt_load_id, '') <= $load_id
"""

REPLACED = """
delete from {raw}.side_loaded
where _dlt_load_id <= $load_id and (array_name, id) in (select (array_name, id) from side_loads)
"""

ADDED = """
insert into {raw}.side_loaded
select
    array_name,
    id,
    record::json,
    $load_id
from side_loads
anti join {raw}.side_loaded using (array_name, id)
"""


def create_side_loaded(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the table, unless it exists."""
    connection.execute(schemas_of(connection).fill(SIDE_LOADED))


def merge_side_loads(connection: duckdb.DuckDBPyConnection, side_loads: pa.Table, load_id: str) -> bool:
    """Stores the side-loaded records of a read, except those from a read that began later.

    Several resources have the same users. The read that began last has the newest version.

    Args:
        connection: Within the load's transaction.
        side_loads: Columns `array_name`, `id` and `record`; each id once per array.
        load_id: The load id of the read.

    Returns:
        Whether any record is new or differs from the stored one.
    """
    if not len(side_loads):
        return False
    schemas = schemas_of(connection)
    connection.register("side_loads", side_loads)
    try:
        [[other]] = connection.execute(schemas.fill(OTHER), {"load_id": load_id}).fetchall()
        connection.execute(schemas.fill(REPLACED), {"load_id": load_id})
        connection.execute(schemas.fill(ADDED), {"load_id": load_id})
        return bool(other)
    finally:
        connection.unregister("side_loads")
