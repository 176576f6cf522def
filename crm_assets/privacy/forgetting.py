"""Erases records for good. `raw.forgotten` keeps salted hashes of their ids, so that later reads skip them.

The salt is random and stored next to the hashes, so anyone with the database can test whether an id is forgotten. A
secret key instead would have to be kept for ever: with a new one, forgotten records would be loaded again.
"""

import secrets
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import duckdb

from crm_assets.api import ENDPOINTS, ID
from crm_assets.errors import WarehouseError
from crm_assets.privacy.policy import set_erased
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.typing.forgotten import Forgotten, id_hash, ids_within
from crm_assets.warehouse.names import PRESENT, RAW, exist, existing_tables, identifier, relation
from crm_assets.warehouse.transactions import committed

TABLE = """
create schema if not exists raw;
create table if not exists raw.forgotten (
    resource varchar not null,
    id_hash varchar not null,
    salt varchar not null,
    forgotten_at timestamp with time zone not null,
    was_stored boolean not null,
    _dlt_load_id varchar not null
);
"""
"""One row per id. `_dlt_load_id` is the last load whose list still had the id; empty if none had it. `was_stored` says
whether rows were erased."""

FORGOTTEN = "select resource, id_hash, salt from raw.forgotten"

REJECTED_RECORDS = f"{RAW}.rejected_records"

REJECTED = """
select record::varchar, count(*)
from raw.rejected_records
where resource = ? and record is not null
group by all
"""

LISTED = """
select count(*)
from raw.forgotten
where
    resource = $resource and _dlt_load_id <> ''
    and _dlt_load_id >= coalesce((select load_id from present.since where resource = $resource), '')
"""

BY_TIME = """
select
    resource,
    timezone('UTC', forgotten_at) as forgotten_at_utc,
    count(*) as ids,
    count(*) filter (where was_stored) as stored
from raw.forgotten
group by all
order by forgotten_at_utc, resource
"""

Keys = Mapping[str, Sequence[str]]
"""Address of a table with history -> its columns with the ids of a resource."""

CHOSEN = "from raw.forgotten where resource = ? and id_hash in (select unnest(?))"


@dataclass(frozen=True)
class Stored:
    """What is stored of records: the number of rows by table, and the ids that have rows."""

    rows: Mapping[str, int]
    ids: Collection[int]


@dataclass(frozen=True)
class ForgottenIds:
    """Ids that were forgotten together. Only hashes of them are kept.

    Attributes:
        resource: The resource.
        at: When, UTC.
        ids: Their number.
        stored: How many had rows.
    """

    resource: str
    at: datetime
    ids: int
    stored: int


def read_forgotten(connection: duckdb.DuckDBPyConnection) -> Forgotten:
    """The records that must not be loaded."""
    if not exist(connection, f"{RAW}.forgotten"):
        return Forgotten()
    rows = connection.execute(FORGOTTEN).fetchall()
    hashes = {resource: frozenset(h for r, h, _ in rows if r == resource) for resource, *_ in rows}
    return Forgotten(rows[0][2] if rows else "", hashes)


def listed_but_forgotten(connection: duckdb.DuckDBPyConnection, resource: str) -> int:
    """The number of forgotten records that the CRM still lists."""
    if not exist(connection, f"{RAW}.forgotten", f"{PRESENT}.since"):
        return 0
    [[count]] = connection.execute(LISTED, {"resource": resource}).fetchall()
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
        connection.execute(TABLE)
        stored = stored_records(connection, resource, ids, keys)
        for address in made:
            connection.execute(f"drop table {relation(address)}")
        for address, _, where, parameters in _selections(connection, resource, ids, keys):
            connection.execute(f"delete from {relation(address)} where {where}", dict(parameters))
        if texts := _rejected(connection, resource, ids):
            where = "resource = ? and record::varchar in (select unnest(?))"
            connection.execute(f"delete from raw.rejected_records where {where}", [resource, [*texts]])
        _remember(connection, resource, ids, stored.ids)
        set_erased(connection, erased=False)
        return stored

    return committed(connection, erase)


def stored_records(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int], keys: Keys) -> Stored:
    """What `forget` would erase. The arguments are the same; changes nothing."""
    rows, found = {}, set[int]()
    for address, columns, where, parameters in _selections(connection, resource, ids, keys):
        counted = connection.execute(
            f"select [{columns}], count(*) from {relation(address)} where {where} group by all", dict(parameters)
        ).fetchall()
        rows[address] = sum(count for _, count in counted)
        found.update(*(in_row for in_row, _ in counted))
    texts = _rejected(connection, resource, ids)
    rows[REJECTED_RECORDS] = sum(texts.values())
    found.update(id_ for text in texts for id_ in ids_within(parse_json(text.encode())))
    return Stored(rows, found & {*ids})


def _selections(
    connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int], keys: Keys
) -> Iterator[tuple[str, str, str, Mapping[str, object]]]:
    """Address, id columns, condition and its parameters of each table that may have rows of the records."""
    existing = existing_tables(connection)
    for address, columns in {f"{RAW}.{resource}": [ID], **keys}.items():
        if address in existing:
            names = [*map(_as_id, columns)]
            found = " or ".join(f"{name} in (select unnest($ids))" for name in names)
            yield address, ", ".join(names), found, {"ids": [*ids]}
    if f"{RAW}.side_loaded" in existing:
        chosen = {"ids": [*ids], "array": ENDPOINTS[resource].data_selector}
        yield f"{RAW}.side_loaded", ID, "array_name = $array and id in (select unnest($ids))", chosen


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
    found = connection.execute(REJECTED, [resource]).fetchall()
    wanted = set(ids)
    return {text: rows for text, rows in found if not wanted.isdisjoint(ids_within(parse_json(text.encode())))}


def _remember(
    connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int], stored: Container[int]
) -> None:
    known = read_forgotten(connection)
    salt = known.salt or secrets.token_hex(32)
    for hashed, was_stored in sorted((id_hash(salt, resource, id_), id_ in stored) for id_ in ids):
        if hashed not in known.hashes.get(resource, ()):
            connection.execute(
                "insert into raw.forgotten (resource, id_hash, salt, forgotten_at, _dlt_load_id, was_stored) "
                "values (?, ?, ?, now(), '', ?)",
                [resource, hashed, salt, was_stored],
            )
        elif was_stored:
            connection.execute(
                "update raw.forgotten set was_stored = true where resource = ? and id_hash = ?", [resource, hashed]
            )


def forgotten_ids(connection: duckdb.DuckDBPyConnection) -> Sequence[ForgottenIds]:
    """All forgotten ids, the first ones first."""
    if not exist(connection, f"{RAW}.forgotten"):
        return []
    found = connection.execute(BY_TIME).fetchall()
    return [ForgottenIds(*row) for row in found]


def undo(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    """Lets later reads load records with these ids again. Returns how many of them were forgotten.

    Raises:
        WarehouseError: Rows of one of them were erased. No id is changed.
    """
    if not exist(connection, f"{RAW}.forgotten"):
        return 0
    return committed(connection, partial(_undo, connection, resource, ids))


def _undo(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    salt = read_forgotten(connection).salt
    hashes = {id_hash(salt, resource, id_): id_ for id_ in ids}
    found = connection.execute(f"select id_hash, was_stored {CHOSEN}", [resource, [*hashes]]).fetchall()
    if erased := sorted(hashes[hashed] for hashed, was_stored in found if was_stored):
        raise WarehouseError(
            f"{resource}: records with these ids were erased, so they stay forgotten: {', '.join(map(str, erased))}. "
            "Only ids that were never stored can be undone. Nothing was changed"
        )
    connection.execute(f"delete {CHOSEN}", [resource, [*hashes]])
    return len(found)
