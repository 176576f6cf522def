"""The table `raw.side_loaded`: side-loaded records such as users and stages."""

import duckdb
import pyarrow as pa

from crm_assets.warehouse.lake.commit import is_shared
from crm_assets.warehouse.transactions import committed

TABLE = "raw.side_loaded"

SIDE_LOADED = """
create schema if not exists raw;
create table if not exists raw.side_loaded (
    array_name varchar not null,
    id bigint not null,
    record json not null,
    _dlt_load_id varchar not null
);
"""
"""One row per record of an array, from the newest read that had it. Rows of records that a read lacks stay: it has only
those that its own records refer to. Between two transactions of a load, or after simultaneous loads into a lake, there
can be older rows as well."""

OTHER = """
with newest as (
    select array_name, id, arg_max(record, _dlt_load_id) as record, max(_dlt_load_id) as _dlt_load_id
    from raw.side_loaded
    group by array_name, id
)

select count(*) > 0
from side_loads
left join newest on side_loads.array_name = newest.array_name and side_loads.id = newest.id
where newest.record is distinct from side_loads.record::json and coalesce(newest._dlt_load_id, '') <= $load_id
"""

ADD = """
insert into raw.side_loaded
select array_name, id, record::json, $load_id
from side_loads
anti join (from raw.side_loaded where _dlt_load_id > $load_id) as newer using (array_name, id)
"""

DELETE_OLDER = """
delete from raw.side_loaded
where
    (array_name, id, _dlt_load_id) not in (
        select (array_name, id, max(_dlt_load_id)) from raw.side_loaded group by array_name, id
    )
"""


def create_side_loaded(connection: duckdb.DuckDBPyConnection) -> None:
    """Creates the table, unless it exists."""
    connection.execute(SIDE_LOADED)


def merge_side_loads(connection: duckdb.DuckDBPyConnection, side_loads: pa.Table, load_id: str) -> bool:
    """Adds the side-loaded records of a read, except those that a read had that began later.

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
    connection.register("side_loads", side_loads)
    [[other]] = connection.execute(OTHER, {"load_id": load_id}).fetchall()
    connection.execute(ADD, {"load_id": load_id})
    connection.unregister("side_loads")
    return bool(other)


def delete_older(connection: duckdb.DuckDBPyConnection) -> None:
    """Deletes all rows of a record but the newest, unless another load may be doing so.

    In a transaction of its own: in a lake it conflicts with loads that add rows, which conflict with nothing.
    """
    if not is_shared(connection, TABLE):
        committed(connection, lambda: connection.execute(DELETE_OLDER))
