"""What may be stored: values that follow the policy of personal data, of records that are not forgotten.

The policy that stored values follow is recorded with them; without a record, it is `keep`. Only the command
`apply-policy` gives them another policy, since that destroys some of them.
"""

import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass

import duckdb

from crm_assets.errors import NotErased, SettingsError, WarehouseBusy
from crm_assets.settings import Crm, CrmSettings, PersonalData, setting_name
from crm_assets.source.typing.batches import Forgotten
from crm_assets.source.typing.redaction import rules
from crm_assets.warehouse.tables import RAW, exist, statements_of

SQL = statements_of(__file__)


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


def stored_policy(connection: duckdb.DuckDBPyConnection) -> tuple[Policy, bool]:
    """The policy that all stored values follow, and whether all removed values are erased for good."""
    if not exist(connection, f"{RAW}.personal_data_policy"):
        return Policy(), True
    [[personal_data, *digests, is_erased]] = connection.execute("from raw.personal_data_policy").fetchall()
    return Policy(PersonalData(personal_data), *digests), is_erased


def set_policy(connection: duckdb.DuckDBPyConnection, policy: Policy, *, erased: bool) -> None:
    """Records the policy that all stored values now follow."""
    connection.execute(SQL["table"])
    connection.execute("delete from raw.personal_data_policy")
    connection.execute(
        "insert into raw.personal_data_policy values (?, ?, ?, ?)",
        [policy.personal_data.value, policy.key_check, policy.rules, erased],
    )


def set_erased(connection: duckdb.DuckDBPyConnection, *, erased: bool) -> None:
    """Records whether all removed values are erased for good."""
    policy, _ = stored_policy(connection)
    set_policy(connection, policy, erased=erased)


def read_forgotten(connection: duckdb.DuckDBPyConnection) -> Forgotten:
    """The records that must not be loaded."""
    if not exist(connection, f"{RAW}.forgotten"):
        return Forgotten()
    rows = connection.execute("select resource, id_hash, salt from raw.forgotten").fetchall()
    hashes = {resource: frozenset(h for r, h, _ in rows if r == resource) for resource, *_ in rows}
    return Forgotten(rows[0][2] if rows else "", hashes)


@dataclass(frozen=True)
class ReadRules:
    """The rules of one read, as they were when it began.

    Attributes:
        policy: The policy of the values.
        forgotten: The records to skip.
    """

    policy: Policy
    forgotten: Forgotten

    @classmethod
    def before_read(cls, connection: duckdb.DuckDBPyConnection, crm: Crm, settings: CrmSettings) -> "ReadRules":
        """The rules for a read that begins now.

        Raises:
            SettingsError: Stored data follow another policy than the configured one.
            NotErased: `apply-policy` or `forget` has removed values, and has not erased them yet.
        """
        command = crm.command("apply-policy")
        (stored, is_erased), configured = stored_policy(connection), Policy.configured(settings)
        if stored != configured and has_loads(connection):
            raise SettingsError(
                f"{stored.difference(configured)}. Nothing was read. Set it back, or run: {command}. It shows what it "
                "changes and destroys, and asks"
            )
        if not is_erased:
            raise NotErased(
                "Nothing was read, since values were removed that are not erased from all files yet: a command was "
                f"stopped before that. Run: {command}"
            )
        return cls(configured, read_forgotten(connection))

    def confirm(
        self, connection: duckdb.DuckDBPyConnection, resource: str, skipped: Collection[str], load_id: str
    ) -> None:
        """Confirms the rules within the load's transaction. The first load's policy becomes that of the warehouse.

        Args:
            connection: The warehouse, for writing.
            resource: The resource read.
            skipped: Hashes of forgotten ids that the list had.
            load_id: The id of the load.

        Raises:
            WarehouseBusy: The policy was changed, or other records are forgotten, since the read began.
        """
        stored, _ = stored_policy(connection)
        if stored != self.policy and has_loads(connection):
            raise WarehouseBusy(
                f"{resource}: the policy of personal data was changed while it was being read. Read it again",
                may_recover=True,
            )
        if stored != self.policy:
            set_policy(connection, self.policy, erased=True)
        if read_forgotten(connection) != self.forgotten:
            raise WarehouseBusy(
                f"{resource}: records were forgotten while they were being read. Read it again", may_recover=True
            )
        if skipped:
            connection.execute(SQL["still_listed"], [load_id, resource, [*skipped]])
