"""`raw.side_loaded`: users, stages and the like that answers carried beside the records of their list."""

import duckdb
import pyarrow as pa

SIDE_LOADED = """
create schema if not exists raw;
create table if not exists raw.side_loaded (
    array_name varchar not null,
    id bigint not null,
    record json not null,
    _dlt_load_id varchar not null
);
"""
"""One row a record of an array, as the newest read that had it. Nothing is ever deleted: a read brings what its own
records point at, and says nothing about the others."""

OTHER = """
select count(*) > 0
from side_loads
left join raw.side_loaded as stored on side_loads.array_name = stored.array_name and side_loads.id = stored.id
where
    stored.record is distinct from side_loads.record::json
    and coalesce(stored._dlt_load_id, '') <= $load_id
"""

REPLACED = """
delete from raw.side_loaded
where _dlt_load_id <= $load_id and (array_name, id) in (select (array_name, id) from side_loads)
"""

ADDED = """
insert into raw.side_loaded
select
    array_name,
    id,
    record::json,
    $load_id
from side_loads
anti join raw.side_loaded using (array_name, id)
"""


def merge_side_loads(connection: duckdb.DuckDBPyConnection, side_loads: pa.Table, load_id: str) -> bool:
    """Stores what a read brought; a record that a read which began later has brought already stays as it is.

    Resources bring the same users. Whichever read began last has the newest of each.

    Args:
        connection: Within the load's transaction.
        side_loads: `array_name`, `id` and `record`; each id once an array.
        load_id: The read's.

    Returns:
        Whether any record is new or other than the one stored.
    """
    if not len(side_loads):
        return False
    connection.register("side_loads", side_loads)
    try:
        [[other]] = connection.execute(OTHER, {"load_id": load_id}).fetchall()
        connection.execute(REPLACED, {"load_id": load_id})
        connection.execute(ADDED, {"load_id": load_id})
        return bool(other)
    finally:
        connection.unregister("side_loads")
