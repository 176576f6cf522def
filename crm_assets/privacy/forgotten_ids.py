"""Lists forgotten ids, and undoes forgetting ids that were never stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import duckdb

from crm_assets.errors import WarehouseError
from crm_assets.privacy.forgetting import TABLE, read_forgotten
from crm_assets.source.typing.forgotten import id_hash
from crm_assets.warehouse.schemas import RAW, exist, schemas_of
from crm_assets.warehouse.transactions import committed

BY_TIME = """
select
    resource,
    timezone('UTC', forgotten_at) as forgotten_at_utc,
    count(*) as ids,
    count(*) filter (where was_stored) as stored
from {raw}.forgotten
group by all
order by forgotten_at_utc, resource
"""

CHOSEN = "from {raw}.forgotten where resource = ? and id_hash in (select unnest(?))"


@dataclass(frozen=True)
class ForgottenIds:
    """Ids that were forgotten together. Only hashes of them are kept.

    Attributes:
        resource: The resource.
        at: When, UTC.
        ids: Their number.
        stored: How many are known to have had rows.
    """

    resource: str
    at: datetime
    ids: int
    stored: int


def forgotten_ids(connection: duckdb.DuckDBPyConnection) -> Sequence[ForgottenIds]:
    """All forgotten ids, the first ones first. The connection is for writing: an older table is upgraded."""
    if not exist(connection, f"{RAW}.forgotten"):
        return []
    schemas = schemas_of(connection)
    connection.execute(schemas.fill(TABLE))
    return [ForgottenIds(*row) for row in connection.execute(schemas.fill(BY_TIME)).fetchall()]


def undo(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    """Lets later reads load records with these ids again. Returns how many of them were forgotten.

    Raises:
        WarehouseError: Rows of one of them were erased, or an earlier release forgot it, so that this is not known. No
            id is changed.
    """
    if not exist(connection, f"{RAW}.forgotten"):
        return 0
    return committed(connection, partial(_undo, connection, resource, ids))


def _undo(connection: duckdb.DuckDBPyConnection, resource: str, ids: Collection[int]) -> int:
    schemas, salt = schemas_of(connection), read_forgotten(connection).salt
    connection.execute(schemas.fill(TABLE))
    hashes = {id_hash(salt, resource, id_): id_ for id_ in ids}
    found = connection.execute(schemas.fill(f"select id_hash, was_stored {CHOSEN}"), [resource, [*hashes]]).fetchall()
    if erased := sorted(hashes[hashed] for hashed, was_stored in found if was_stored is not False):
        raise WarehouseError(
            f"{resource}: records with these ids were erased, so they stay forgotten: {', '.join(map(str, erased))}. "
            "Only ids that were never stored can be undone. Nothing was changed"
        )
    connection.execute(schemas.fill(f"delete {CHOSEN}"), [resource, [*hashes]])
    return len(found)
