"""Schema `present`: a view of each raw table for staging models to read, with the rows that the CRM lists now.

Two rules stand here and nowhere else. A row is present if the last complete full read of its resource, or a read after
it, saw it; before the first such read all rows are. A text has no blanks around it, and one without a character is
null. Both are plain views, and no macros, which every reader of a view that calls them would need.
"""

import duckdb

from crm_assets.source.api import ENDPOINTS
from crm_assets.source.typing.columns import varies
from crm_assets.warehouse.raw_tables import DUCKDB_TYPES, RAW, stored_columns

PRESENT = "present"
"""DuckDB schema of the views. `present.since`, which the sync log brings, tells from which load on a row is present."""

EXISTING = "select view_name from duckdb_views() where database_name = current_database() and schema_name = ?"


def show_present(connection: duckdb.DuckDBPyConnection, loaded: str) -> None:
    """Makes the view of the resource that was just loaded, whose columns may have changed, and those not there yet."""
    existing = {view for (view,) in connection.execute(EXISTING, [PRESENT]).fetchall()}
    for resource in ENDPOINTS:
        if resource == loaded or resource not in existing:
            connection.execute(present_view(connection, resource))


def present_view(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The statement for a resource's view, with the columns that its raw table has at the moment."""
    columns = ", ".join(_shown(name, type_) for name, type_ in stored_columns(connection, resource).items())
    return (
        f'create or replace view {PRESENT}."{resource}" as select {columns} from {RAW}."{resource}" '
        f"where _dlt_load_id >= coalesce((select load_id from {PRESENT}.since where resource = '{resource}'), '')"
    )


def _shown(name: str, type_: str) -> str:
    # What did not fit its column, and what dlt notes about a row, are shown as they are.
    if type_ != DUCKDB_TYPES["text"] or name.startswith("_dlt_") or varies(name) is not None:
        return f'"{name}"'
    return f"""nullif(trim("{name}"), '') as "{name}\""""
