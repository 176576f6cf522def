"""Load ids: numbers from the warehouse, which order reads whatever the clocks of machines say."""

from functools import partial

import duckdb

from crm_assets.loading.log_tables import create_log_tables
from crm_assets.warehouse.names import RAW
from crm_assets.warehouse.transactions import commits_noted, committed

LOAD_COUNTER = f"{RAW}.load_counter"

COUNTER = """
create schema if not exists raw;
create table if not exists raw.load_counter (last_load bigint not null);
"""
"""One row: the number of the read that began last. A lake has no sequences."""

LAST = "select coalesce(max(last_load), 0) from raw.load_counter"

PREFIX = "load_"
"""Ids of earlier releases are times. As texts, all of them are less than one that begins with a letter."""

DIGITS = 12


def next_load_id(connection: duckdb.DuckDBPyConnection) -> str:
    """The id of a read that begins now: as a text, greater than all ids before. Creates or upgrades the log tables.

    Args:
        connection: The warehouse, for writing table `LOAD_COUNTER`, without an open transaction.
    """
    with commits_noted():  # apart: an error of the read has to say that no table of records has changed
        return committed(connection, partial(_next_load_id, connection))


def _next_load_id(connection: duckdb.DuckDBPyConnection) -> str:
    create_log_tables(connection)
    connection.execute(COUNTER)
    [[last]] = connection.execute(LAST).fetchall()
    connection.execute("delete from raw.load_counter")
    connection.execute("insert into raw.load_counter values (?)", [last + 1])
    return f"{PREFIX}{last + 1:0{DIGITS}}"
