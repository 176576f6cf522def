"""The first rows of a table for the metadata of its materialization, without what may be personal."""

from collections.abc import Container, Iterable, Sequence
from typing import Any

import duckdb
from dagster import MetadataValue, TableColumn, TableMetadataValue, TableRecord, TableSchema

ROWS = 10
MASKED = "(masked)"
SHOWN = 100
"""Characters of a value that are shown."""


def preview(
    connection: duckdb.DuckDBPyConnection, address: str, columns: Iterable[str], personal: Container[str]
) -> TableMetadataValue:
    """The first rows of a table or view. What is masked does not leave the database."""
    schema, table = address.split(".")
    chosen = ", ".join(_chosen(column, column in personal) for column in columns)
    rows = connection.execute(f'select {chosen} from "{schema}"."{table}" limit {ROWS}').fetchall()
    return rows_as_table(list(columns), rows)


def rows_as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> TableMetadataValue:
    """Rows as the UI's table. Numbers and truth values stay what they are; all else is its text."""
    return MetadataValue.table(
        records=[TableRecord(dict(zip(columns, map(_shown, row), strict=True))) for row in rows],
        schema=TableSchema([TableColumn(name=name, type="string") for name in columns]),
    )


def _chosen(column: str, masked: bool) -> str:
    name = '"' + column.replace('"', '""') + '"'
    return f"case when {name} is not null then '{MASKED}' end as {name}" if masked else name


def _shown(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, (int, float, bool)):
        return value
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
