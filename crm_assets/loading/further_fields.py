"""Moves values of undeclared fields from the JSON column to columns of their own, once the table has them.

A field gets a column when it is declared, or when `max_undeclared_columns` is raised.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from crm_assets.loading.raw_tables import TypeChange, raw_table, stored_columns
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.typing.columns import typed_column, variant_name
from crm_assets.source.typing.field_names import FURTHER
from crm_assets.warehouse.names import identifier

ROWS_AT_A_TIME = 1000


def moves(connection: duckdb.DuckDBPyConnection, resource: str, added: Mapping[str, str]) -> list[TypeChange]:
    """The changes that fill columns with their values in the JSON column, and remove these from it.

    Adds variant columns for values that do not fit.

    Args:
        connection: Within a load's transaction, before it changes rows.
        resource: The resource of the table.
        added: Column -> data type of the columns that the load adds.
    """
    if FURTHER not in stored_columns(connection, resource) or not added:
        return []
    found = connection.execute(
        f"select _dlt_id, {FURTHER}::varchar from {raw_table(resource)} where list_has_any(json_keys({FURTHER}), ?)",
        [list(added)],
    )
    values: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    while rows := found.fetchmany(ROWS_AT_A_TIME):
        for row_id, text in rows:
            fields = parse_json(text.encode())
            for name in added.keys() & fields.keys():
                values[name].append((row_id, fields.pop(name)))
            values[FURTHER].append((row_id, fields or None))
    moved = [_type_change(name, added.get(name, "json"), pairs) for name, pairs in values.items()]
    for variant in filter(None, (conversion.variant for conversion in moved)):
        table = raw_table(resource)
        connection.execute(f"alter table {table} add column if not exists {identifier(variant)} varchar")
    return moved


def _type_change(column: str, data_type: str, moved: list[tuple[str, Any]]) -> TypeChange:
    row_ids, values = zip(*moved, strict=True)
    fitting, misfits = typed_column(data_type, values)
    variant = None if misfits is None else variant_name(column)
    texts = pa.nulls(len(values), pa.string()) if misfits is None else misfits
    table = pa.table({"_dlt_id": pa.array(row_ids), "value": fitting, "variant": texts})
    return TypeChange(column, f"in {FURTHER}", data_type, variant, table)
