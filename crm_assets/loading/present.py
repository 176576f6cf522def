"""Schema `present`: a view of each raw table, for staging models, with the rows that the CRM lists now.

It applies two rules. A row is present if the last complete full read of its resource, or a later read, saw it; before
the first such read all rows are. Text is trimmed, and empty text is null. They are views, not macros, since every
reader of a view that calls a macro would need the macro.
"""

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.loading.raw_tables import DUCKDB_TYPES, raw_table, stored_columns
from crm_assets.source.typing.columns import varies
from crm_assets.warehouse.names import PRESENT, identifier, literal, relation

EXISTING = "select view_name from duckdb_views() where database_name = current_database() and schema_name = ?"


def show_present(connection: duckdb.DuckDBPyConnection, loaded: str) -> None:
    """Creates the view of the loaded resource again, since its columns may have changed, and all missing views."""
    existing = {view for (view,) in connection.execute(EXISTING, [PRESENT]).fetchall()}
    for resource in ENDPOINTS:
        if resource == loaded or resource not in existing:
            connection.execute(present_view(connection, resource))


def present_view(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The statement that creates a resource's view, with the current columns of its raw table."""
    columns = ", ".join(_shown(name, type_) for name, type_ in stored_columns(connection, resource).items())
    view = relation(f"{PRESENT}.{resource}")
    since = f"select load_id from present.since where resource = {literal(resource)}"
    chosen = f"_dlt_load_id >= coalesce(({since}), '')"
    return f"create or replace view {view} as select {columns} from {raw_table(resource)} where {chosen}"


def _shown(name: str, type_: str) -> str:
    # Variant columns and dlt's own columns are not changed.
    if type_ != DUCKDB_TYPES["text"] or name.startswith("_dlt_") or varies(name) is not None:
        return identifier(name)
    return f"nullif(trim({identifier(name)}), '') as {identifier(name)}"


def present_since(connection: duckdb.DuckDBPyConnection, resource: str) -> str:
    """The load from which on a resource's rows are present; empty before its first complete full read."""
    since = "select coalesce(max(load_id), '') from present.since where resource = ?"
    [[load_id]] = connection.execute(since, [resource]).fetchall()
    return str(load_id)


def rows_seen(connection: duckdb.DuckDBPyConnection, resource: str, first: str, before: str | None = None) -> int:
    """How many rows of a raw table were last seen by the load `first` or a later one, and before the load `before`."""
    seen = f"select count(*) from {raw_table(resource)} where _dlt_load_id >= $first"
    parameters = {"first": first}
    if before is not None:
        seen, parameters = f"{seen} and _dlt_load_id < $before", {**parameters, "before": before}
    [[rows]] = connection.execute(seen, parameters).fetchall()
    return int(rows)
