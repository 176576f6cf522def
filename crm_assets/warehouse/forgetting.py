"""Erases records for good. `raw.forgotten` keeps salted hashes of their ids, so that later reads skip them.

The salt is random and stored next to the hashes, so anyone with the database can test whether an id is forgotten. A
secret key instead would have to be kept for ever: with a new one, forgotten records would be loaded again.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb

from crm_assets.errors import WarehouseBusy
from crm_assets.source.api import ENDPOINTS
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.typing.forgotten import Forgotten, id_hash, ids_within
from crm_assets.warehouse.policy import set_erased
from crm_assets.warehouse.schemas import PRESENT, RAW, exist, existing_tables, schemas_of
from crm_assets.warehouse.transactions import committed

TABLE = """
create schema if not exists {raw};
create table if not exists {raw}.forgotten (
    resource varchar not null,
    id_hash varchar not null,
    salt varchar not null,
    forgotten_at timestamp with time zone not null,
    _dlt_load_id varchar not null
);
"""
"""One row per id. `_dlt_load_id` is the last load whose list still had the id; empty if none had it."""

FORGOTTEN = "select resource, id_hash, salt from {raw}.forgotten"

REJECTED = "select distinct record::varchar from {raw}.rejected_records where resource = ? and record is not null"

LISTED = """
select count(*)
from {raw}.forgotten
where
    resource = $resource
    and _dlt_load_id <> ''
    and _dlt_load_id >= coalesce((select load_id from {present}.since where resource = $resource), '')
"""


@dataclass(frozen=True)
class Erased:
    """The number of erased rows by table."""

    rows: Mapping[str, int]


def read_forgotten(connection: duckdb.DuckDBPyConnection) -> Forgotten:
    """The records that must not be loaded."""
    if not exist(connection, f"{RAW}.forgotten"):
        return Forgotten()
    rows = connection.execute(schemas_of(connection).fill(FORGOTTEN)).fetchall()
    hashes = {resource: frozenset(h for r, h, _ in rows if r == resource) for resource, *_ in rows}
    return Forgotten(rows[0][2] if rows else "", hashes)


def listed_but_forgotten(connection: duckdb.DuckDBPyConnection, resource: str) -> int:
    """The number of forgotten records that the CRM still lists."""
    if not exist(connection, f"{RAW}.forgotten", f"{PRESENT}.since"):
        return 0
    [[count]] = connection.execute(schemas_of(connection).fill(LISTED), {"resource": resource}).fetchall()
    return int(count)


def forget(
    connection: duckdb.DuckDBPyConnection,
    resource: str,
    ids: Collection[int],
    keys: Mapping[str, str],
    made: Collection[str],
) -> Erased:
    """Erases records from all tables and stores hashes of their ids, in one transaction.

    Args:
        connection: The warehouse, for writing.
        resource: The resource of the records.
        ids: Their ids.
        keys: Address of a table with history -> its column with the resource's id.
        made: Tables built from raw ones. They are dropped, and the caller rebuilds them.
    """
    return committed(connection, partial(_forget, connection, resource, ids, keys, made))


def _forget(
    connection: duckdb.DuckDBPyConnection,
    resource: str,
    ids: Collection[int],
    keys: Mapping[str, str],
    made: Collection[str],
) -> Erased:
    existing = existing_tables(connection)
    for address in made:
        connection.execute(f"drop table {schemas_of(connection).relation(address)}")
    rows = {}
    for address, column in {f"{RAW}.{resource}": "id", **keys}.items():
        if address in existing:
            rows[address] = _delete(connection, address, f'"{column}" in (select unnest($ids))', {"ids": [*ids]})
    if f"{RAW}.side_loaded" in existing:
        chosen = {"ids": [*ids], "array": ENDPOINTS[resource].data_selector}
        where = "array_name = $array and id in (select unnest($ids))"
        rows[f"{RAW}.side_loaded"] = _delete(connection, f"{RAW}.side_loaded", where, chosen)
    if f"{RAW}.rejected_records" in existing:
        rows[f"{RAW}.rejected_records"] = _forget_rejected(connection, resource, ids)
    _remember(connection, resource, ids)
    set_erased(connection, erased=False)
    return Erased(rows)


def note_skipped(
    connection: duckdb.DuckDBPyConnection, resource: str, forgotten: Forgotten, skipped: Iterable[str], load_id: str
) -> None:
    """Records which forgotten ids the list still had, within a load's transaction.

    Args:
        connection: The warehouse, for writing.
        resource: The resource read.
        forgotten: The records that the read left out.
        skipped: Hashes of forgotten ids that the list had.
        load_id: The id of the load.

    Raises:
        WarehouseBusy: More records were forgotten since the read began.
    """
    known = set().union(*forgotten.hashes.values())
    if set().union(*read_forgotten(connection).hashes.values()) - known:
        raise WarehouseBusy(
            f"{resource}: records were forgotten while they were being read. Read it again", may_recover=True
        )
    raw = schemas_of(connection).raw
    for hashed in skipped:
        connection.execute(
            f"update {raw}.forgotten set _dlt_load_id = ? where resource = ? and id_hash = ?",
            [load_id, resource, hashed],
        )


def _delete(connection: duckdb.DuckDBPyConnection, address: str, where: str, parameters: Mapping[str, object]) -> int:
    relation = schemas_of(connection).relation(address)
    [[count]] = connection.execute(f"delete from {relation} where {where}", dict(parameters)).fetchall()
    return int(count)


def _forget_rejected(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    """Deletes rejected records that have one of the ids in any form, or contain a record that has one."""
    found = connection.execute(schemas_of(connection).fill(REJECTED), [resource]).fetchall()
    wanted = set(ids)
    texts = [text for (text,) in found if not wanted.isdisjoint(ids_within(parse_json(text.encode())))]
    where = "resource = $resource and record::varchar in (select unnest($texts))"
    return _delete(connection, f"{RAW}.rejected_records", where, {"resource": resource, "texts": texts})


def _remember(connection: duckdb.DuckDBPyConnection, resource: str, ids: Iterable[int]) -> None:
    schemas = schemas_of(connection)
    connection.execute(schemas.fill(TABLE))
    known = read_forgotten(connection)
    salt = known.salt or secrets.token_hex(32)
    new = {id_hash(salt, resource, id_) for id_ in ids} - known.hashes.get(resource, frozenset())
    for hashed in sorted(new):
        connection.execute(f"insert into {schemas.raw}.forgotten values (?, ?, ?, now(), '')", [resource, hashed, salt])
