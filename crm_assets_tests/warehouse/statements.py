"""Single statements on the configured warehouse."""

from typing import Any

from crm_assets.warehouse.warehouse import Warehouse


def read(sql: str) -> list[tuple[Any, ...]]:
    with Warehouse().read_connection() as connection:
        return connection.execute(sql).fetchall()


def write(sql: str, table: str | None = None, wait: float = 10) -> None:
    with Warehouse(lock_wait=wait).get_connection(tables=[table] if table else []) as connection:
        connection.execute(sql)
