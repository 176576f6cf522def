"""The first rows of a table for the metadata of its materialization, with personal values masked."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

import duckdb
from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

from crm_assets.warehouse.schemas import schemas_of

ROWS = 10
MASKED = "(masked)"
SHOWN = 100
"""The most characters of a value that are shown."""


def preview(
    connection: duckdb.DuckDBPyConnection, address: str, columns: Iterable[str], personal: Container[str]
) -> TableMetadataValue:
    """The first rows of a table or view. Personal columns are masked in the query, objects and lists afterwards."""
    chosen = ", ".join(_chosen(column, column in personal) for column in columns)
    table = schemas_of(connection).relation(address)
    rows = connection.execute(f"select {chosen} from {table} limit {ROWS}").fetchall()
    return rows_as_table(list(columns), rows)


def rows_as_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], personal: Container[str] = ()
) -> TableMetadataValue:
    """Rows as a table for the UI. Numbers and booleans are kept; all other values become text.

    Columns that may be personal are masked. So are objects and lists, which may hold personal data in any column.
    """

    def shown(column: str, value: Any) -> str | int | float | bool | None:
        return MASKED if column in personal and value is not None else _shown(value)

    return MetadataValue.table(
        records=[TableRecord({c: shown(c, value) for c, value in zip(columns, row, strict=True)}) for row in rows],
        schema=TableSchema([TableColumn(name=name, type="string") for name in columns]),
    )


def _chosen(column: str, masked: bool) -> str:
    name = '"' + column.replace('"', '""') + '"'
    return f"case when {name} is not null then '{MASKED}' end as {name}" if masked else name


def _shown(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, (int, float, bool)):
        return value
    text = str(value)
    if text.lstrip().startswith(("{", "[", '"')):  # a quote: JSON within JSON
        return MASKED
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
