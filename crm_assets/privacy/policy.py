"""The policy of personal data that stored values follow. It is recorded with them; without a record, it is `keep`.

Only the command `apply-policy` gives stored values another policy, since that destroys some of them.
"""

import hashlib
import hmac
from dataclasses import dataclass

import duckdb

from crm_assets.settings import CrmSettings, PersonalData, setting_name
from crm_assets.source.typing.redaction import rules
from crm_assets.warehouse.names import RAW, exist

TABLE = """
create schema if not exists raw;
create table if not exists raw.personal_data_policy (
    personal_data varchar not null,
    key_check varchar not null,
    rules varchar not null,
    is_erased boolean not null
);
"""
"""One row. `is_erased` is false while free blocks of the file may still hold removed values."""


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
    def configured(cls, settings: CrmSettings) -> "Policy":
        """The policy in the settings."""
        if settings.personal_data is PersonalData.keep:
            return cls()
        hashes = settings.personal_data is PersonalData.hash
        key_check = hmac.new(settings.hash_key, b"key check", hashlib.sha256).hexdigest() if hashes else ""
        return cls(settings.personal_data, key_check, rules(settings))

    def difference(self, configured: "Policy") -> str:
        """How the configured policy differs from this one, the stored one. A sentence without a full stop."""
        stored, setting = self.personal_data.value, setting_name("personal_data")
        if configured.personal_data is not self.personal_data:
            return f"Stored data follow personal_data {stored}, but {setting} is {configured.personal_data.value}"
        if configured.rules != self.rules:
            return (
                f"Stored data follow personal_data {stored}, but other fields are declared, personal, or in "
                f"{setting_name('personal_data_allowed')} now"
            )
        return f"Stored hashes were made with another key than the one in {setting_name('personal_data_key')}"


def has_loads(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a read was loaded. Before the first one, there is nothing that could follow a policy."""
    if not exist(connection, f"{RAW}.sync_log"):
        return False
    return connection.execute("from raw.sync_log limit 1").fetchone() is not None


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
    connection.execute(TABLE)
    connection.execute("delete from raw.personal_data_policy")
    connection.execute(
        "insert into raw.personal_data_policy values (?, ?, ?, ?)",
        [policy.personal_data.value, policy.key_check, policy.rules, erased],
    )


def set_erased(connection: duckdb.DuckDBPyConnection, *, erased: bool) -> None:
    """Records whether all removed values are erased for good."""
    set_policy(connection, stored_policy(connection), erased=erased)


def _row(connection: duckdb.DuckDBPyConnection) -> tuple[str, str, str, bool] | None:
    if not exist(connection, f"{RAW}.personal_data_policy"):
        return None
    return connection.execute("from raw.personal_data_policy").fetchone()
