"""Moves values of undeclared fields from the JSON column to columns of their own, once the table has them.

A field gets a column when it is declared, or when `max_undeclared_columns` is raised.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb

from crm_assets.loading.raw_tables import TypeChange, add_variants, converted, raw_table, stored_columns
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.typing.field_names import FURTHER

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
    moved = [
        TypeChange(name, f"in {FURTHER}", data_type, converted(data_type, *zip(*pairs, strict=True)))
        for name, pairs in values.items()
        for data_type in [added.get(name, "json")]
    ]
    add_variants(connection, resource, moved)
    return moved
