"""Erases records for good. `raw.forgotten` keeps salted hashes of their ids, so that later reads skip them.

The salt is random and stored next to the hashes, so anyone with the database can test whether an id is forgotten. A
secret key instead would have to be kept for ever: with a new one, forgotten records would be loaded again.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from crm_assets.api import ENDPOINTS, ID
from crm_assets.errors import WarehouseError
from crm_assets.privacy.policy import read_forgotten, set_erased
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.typing.batches import id_hash, ids_within
from crm_assets.warehouse.tables import (
    PRESENT,
    RAW,
    exist,
    existing_tables,
    identifier,
    literal,
    relation,
    statements_of,
)
from crm_assets.warehouse.transactions import committed

SQL = statements_of(__file__)

REJECTED_RECORDS = f"{RAW}.rejected_records"

Keys = Mapping[str, Sequence[str]]
"""Address of a table with history -> its columns with the ids of a resource."""

CHOSEN = "from raw.forgotten where resource = ? and id_hash in (select unnest(?))"


@dataclass(frozen=True)
class Stored:
    """What is stored of records: the number of rows by table, and the ids that have rows."""

    rows: Mapping[str, int]
    ids: Collection[int]


def listed_but_forgotten(connection: duckdb.DuckDBPyConnection, resource: str) -> int:
    """The number of forgotten records that the CRM still lists."""
    if not exist(connection, f"{RAW}.forgotten", f"{PRESENT}.since"):
        return 0
    [[count]] = connection.execute(SQL["listed"], {"resource": resource}).fetchall()
    return int(count)


def forget(
    connection: duckdb.DuckDBPyConnection,
    resource: str,
    ids: Collection[int],
    keys: Keys,
    made: Collection[str],
) -> Stored:
    """Erases records from all tables and stores hashes of their ids, in one transaction.

    Args:
        connection: The warehouse, for writing.
        resource: The resource of the records.
        ids: Their ids.
        keys: Where histories have the resource's ids.
        made: Tables built from raw ones. They are dropped, and the caller rebuilds them.
    """

    def erase() -> Stored:
        connection.execute(SQL["table"])
        stored = stored_records(connection, resource, ids, keys)
        for address in made:
            connection.execute(f"drop table {relation(address)}")
        for address, (_, where) in _selections(connection, resource, keys).items():
            connection.execute(f"delete from {relation(address)} where {where}", {"ids": [*ids]})
        if texts := _rejected(connection, resource, ids):
            where = "resource = ? and record::varchar in (select unnest(?))"
            connection.execute(f"delete from raw.rejected_records where {where}", [resource, [*texts]])
        salt = read_forgotten(connection).salt or secrets.token_hex(32)
        hashes = sorted((id_hash(salt, resource, id_), id_ in stored.ids) for id_ in ids)
        connection.execute(
            SQL["remember"],
            {
                "resource": resource,
                "salt": salt,
                "hashes": [hashed for hashed, _ in hashes],
                "stored": [was_stored for _, was_stored in hashes],
            },
        )
        set_erased(connection, erased=False)
        return stored

    return committed(connection, erase)


def stored_records(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int], keys: Keys) -> Stored:
    """What `forget` would erase. The arguments are the same; changes nothing."""
    rows, found = {}, set[int]()
    for address, (columns, where) in _selections(connection, resource, keys).items():
        counted = connection.execute(
            f"select [{columns}], count(*) from {relation(address)} where {where} group by all", {"ids": [*ids]}
        ).fetchall()
        rows[address] = sum(count for _, count in counted)
        found.update(*(in_row for in_row, _ in counted))
    texts = _rejected(connection, resource, ids)
    rows[REJECTED_RECORDS] = sum(texts.values())
    found.update(id_ for text in texts for id_ in ids_within(parse_json(text.encode())))
    return Stored(rows, found & {*ids})


def _selections(connection: duckdb.DuckDBPyConnection, resource: str, keys: Keys) -> Mapping[str, tuple[str, str]]:
    """Address of each table that may have rows of the records -> its id columns, and the condition of these rows."""
    found = {}
    for address, columns in {f"{RAW}.{resource}": [ID], **keys}.items():
        names = [*map(_as_id, columns)]
        found[address] = ", ".join(names), " or ".join(f"{name} in (select unnest($ids))" for name in names)
    array = literal(ENDPOINTS[resource].data_selector)
    found[f"{RAW}.side_loaded"] = ID, f"array_name = {array} and id in (select unnest($ids))"
    existing = existing_tables(connection)
    return {address: selection for address, selection in found.items() if address in existing}


def holds_ids(connection: duckdb.DuckDBPyConnection, address: str, column: str) -> bool:
    """Whether a table's column, which is made from ids, holds ids, and not hashes of them or other texts."""
    others = f"from {relation(address)} where {identifier(column)} is not null and {_as_id(column)} is null limit 1"
    return connection.execute(others).fetchone() is None


def _as_id(column: str) -> str:
    """A column's value as an id, which can be stored as text; null if it is none. In SQL."""
    return f"try_cast({identifier(column)}::varchar as bigint)"


def _rejected(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> Mapping[str, int]:
    """Rejected records that have one of the ids in any form, or contain a record that has one -> number of rows."""
    if not exist(connection, REJECTED_RECORDS):
        return {}
    found = connection.execute(SQL["rejected"], [resource]).fetchall()
    wanted = set(ids)
    return {text: rows for text, rows in found if not wanted.isdisjoint(ids_within(parse_json(text.encode())))}


def forgotten_ids(connection: duckdb.DuckDBPyConnection) -> Sequence[tuple[str, datetime, int, int]]:
    """Ids that were forgotten together, the first ones first: resource, when (UTC), how many, and how many had rows.

    Only hashes of them are kept.
    """
    return connection.execute(SQL["by_time"]).fetchall() if exist(connection, f"{RAW}.forgotten") else []


def undo(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    """Lets later reads load records with these ids again. Returns how many of them were forgotten.

    Raises:
        WarehouseError: Rows of one of them were erased. No id is changed.
    """
    if not exist(connection, f"{RAW}.forgotten"):
        return 0

    def allow() -> int:
        salt = read_forgotten(connection).salt
        hashes = {id_hash(salt, resource, id_): id_ for id_ in ids}
        found = connection.execute(f"select id_hash, was_stored {CHOSEN}", [resource, [*hashes]]).fetchall()
        if erased := sorted(hashes[hashed] for hashed, was_stored in found if was_stored):
            raise WarehouseError(
                f"{resource}: records with these ids were erased, so they stay forgotten: "
                f"{', '.join(map(str, erased))}. Only ids that were never stored can be undone. Nothing was changed"
            )
        connection.execute(f"delete {CHOSEN}", [resource, [*hashes]])
        return len(found)

    return committed(connection, allow)
