"""Everything that a lake stores, as texts: its files, their rows, and the rows of its catalog's tables."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import psycopg

from crm_assets_tests.lake_servers import dsn_of


def lake_texts(settings: Mapping[str, str]) -> Iterator[str]:
    """All of a lake. Its files may be in a folder or on the S3 server that the environment names.

    Args:
        settings: `CRM_WAREHOUSE` and `CRM_WAREHOUSE_FILES`.
    """
    yield from _catalog(dsn_of(settings["CRM_WAREHOUSE"]))
    yield from _files(settings["CRM_WAREHOUSE_FILES"])


def _catalog(dsn: str) -> Iterator[str]:
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables "
            "where table_schema not in ('pg_catalog', 'information_schema')"
        ).fetchall()
        for (table,) in tables:
            yield from map(repr, connection.execute(f"select * from {table}").fetchall())


def _files(place: str) -> Iterator[str]:
    from crm_assets.warehouse.lake.address import (
        allow_s3,
        connected_with,  # after forget_the_machine
    )

    with closing(connected_with(("httpfs",), {})) as connection:
        allow_s3(connection)
        for file, content in connection.execute(
            "select filename, content from read_blob(?)", [f"{place}/**"]
        ).fetchall():
            yield content.decode("latin-1")
            if file.endswith(".parquet"):  # can be compressed
                yield from map(repr, connection.execute("from read_parquet(?)", [file]).fetchall())
