"""Records which personal-data policy the stored tables follow. Without a record, it is `keep`."""

import hashlib
import hmac
from dataclasses import dataclass

import duckdb

from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.typing.redaction import rules
from crm_assets.warehouse.schemas import RAW, exist, schemas_of

TABLE = """
create schema if not exists {raw};
create table if not exists {raw}.personal_data_policy (
    personal_data varchar not null,
    key_check varchar not null,
    rules varchar not null,
    is_erased boolean not null
);
"""
"""One row. `is_erased` is false while free blocks of the file may still hold removed values."""

STRICTER_LAST = (PersonalData.keep, PersonalData.hash, PersonalData.leave_out)

MIXED = "mixed"
"""Stands for the rules of tables with rows of several policies."""


@dataclass(frozen=True)
class Policy:
    """The policy that decides which values may be stored.

    Attributes:
        personal_data: The value of the setting.
        key_check: Changes with the key of the hashes; empty if nothing is hashed.
        rules: Changes with the personal, declared and allowed fields; empty if all are kept.
    """

    personal_data: PersonalData = PersonalData.keep
    key_check: str = ""
    rules: str = ""

    @classmethod
    def of(cls, settings: CrmSettings) -> "Policy":
        """The policy in the settings."""
        if settings.personal_data is PersonalData.keep:
            return cls()
        hashes = settings.personal_data is PersonalData.hash
        key_check = hmac.new(settings.hash_key, b"key check", hashlib.sha256).hexdigest() if hashes else ""
        return cls(settings.personal_data, key_check, rules(settings))


def stored_policy(connection: duckdb.DuckDBPyConnection) -> Policy:
    """The policy that all stored values follow."""
    row = _row(connection)
    return Policy(PersonalData(row[0]), row[1], row[2]) if row else Policy()


def is_erased(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether all removed values are erased for good."""
    row = _row(connection)
    return row is None or row[3]


def set_policy(connection: duckdb.DuckDBPyConnection, policy: Policy, *, erased: bool) -> None:
    """Records the policy that all stored values now follow."""
    schemas = schemas_of(connection)
    connection.execute(schemas.fill(TABLE))
    connection.execute(f"delete from {schemas.raw}.personal_data_policy")
    connection.execute(
        f"insert into {schemas.raw}.personal_data_policy values (?, ?, ?, ?)",
        [policy.personal_data.value, policy.key_check, policy.rules, erased],
    )


def set_erased(connection: duckdb.DuckDBPyConnection, *, erased: bool) -> None:
    """Records whether all removed values are erased for good."""
    set_policy(connection, stored_policy(connection), erased=erased)


def note_load(connection: duckdb.DuckDBPyConnection, policy: Policy) -> None:
    """Records the policy of newly loaded values, within the load's transaction, before the sync log is written.

    It differs from that of the stored values if the policy was changed during the read, or by another process. The next
    run then converts the stored values.
    """
    is_first = connection.execute(f"from {schemas_of(connection).raw}.sync_log limit 1").fetchone() is None
    stored = policy if is_first else stored_policy(connection)
    if stored != policy:
        laxer = min(stored.personal_data, policy.personal_data, key=STRICTER_LAST.index)
        policy = Policy() if laxer is PersonalData.keep else Policy(laxer, MIXED, MIXED)
    if policy != stored_policy(connection):
        set_policy(connection, policy, erased=is_erased(connection))


def _row(connection: duckdb.DuckDBPyConnection) -> tuple[str, str, str, bool] | None:
    if not exist(connection, f"{RAW}.personal_data_policy"):
        return None
    return connection.execute(f"from {schemas_of(connection).raw}.personal_data_policy").fetchone()
