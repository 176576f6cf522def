"""Single statements on the configured warehouse, and the configured lake."""

from typing import Any

from crm_assets.warehouse.lake.backend import Lake
from crm_assets.warehouse.warehouse import Warehouse

END_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity "
    "where datname = current_database() and pid <> pg_backend_pid()"
)
"""For PostgreSQL: ends all other sessions of a catalog."""


def read(sql: str) -> list[tuple[Any, ...]]:
    with Warehouse().read_connection() as connection:
        return connection.execute(sql).fetchall()


def configured_lake() -> Lake:
    lake = Warehouse().lake
    assert lake, "CRM_WAREHOUSE is no lake"
    return lake


def write(sql: str, table: str | None = None, wait: float = 10) -> None:
    with Warehouse(lock_wait=wait).get_connection(tables=[table] if table else []) as connection:
        connection.execute(sql)


def probe() -> None:
    """What a read does before its first request."""
    with Warehouse().get_connection(tables=["nothing"]) as connection:
        configured_lake().probe(connection)
