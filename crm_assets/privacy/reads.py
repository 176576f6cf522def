"""What a read may store: values that follow the policy, of records that are not forgotten."""

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from crm_assets.errors import SettingsError, WarehouseBusy
from crm_assets.privacy.forgetting import read_forgotten
from crm_assets.privacy.policy import Policy, has_loads, is_erased, set_policy, stored_policy
from crm_assets.settings import Crm, CrmSettings
from crm_assets.source.typing.forgotten import Forgotten


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
            WarehouseBusy: `apply-policy` or `forget` has removed values, and has not erased them yet.
        """
        command = f"crm-assets apply-policy{f' --crm {crm.name}' if crm.name else ''}"
        stored, configured = stored_policy(connection), Policy.configured(settings)
        if stored != configured and has_loads(connection):
            raise SettingsError(
                f"{stored.difference(configured)}. Nothing was read. Set it back, or run: {command}. It shows what it "
                "changes and destroys, and asks"
            )
        if not is_erased(connection):
            raise WarehouseBusy(
                "Nothing was read, since values were removed that are not erased from all files yet. Wait for the "
                f"command that does it. If it was stopped, run: {command}",
                may_recover=True,
            )
        return cls(configured, read_forgotten(connection))

    def confirm(
        self, connection: duckdb.DuckDBPyConnection, resource: str, skipped: Iterable[str], load_id: str
    ) -> None:
        """Confirms the rules within the load's transaction. The first load's policy becomes that of the warehouse.

        Args:
            connection: The warehouse, for writing.
            resource: The resource read.
            skipped: Hashes of forgotten ids that the list had.
            load_id: The id of the load.

        Raises:
            WarehouseBusy: The policy was changed, or more records were forgotten, since the read began.
        """
        if stored_policy(connection) != self.policy:
            if has_loads(connection):
                raise WarehouseBusy(
                    f"{resource}: the policy of personal data was changed while it was being read. Read it again",
                    may_recover=True,
                )
            set_policy(connection, self.policy, erased=True)
        known = set().union(*self.forgotten.hashes.values())
        if set().union(*read_forgotten(connection).hashes.values()) - known:
            raise WarehouseBusy(
                f"{resource}: records were forgotten while they were being read. Read it again", may_recover=True
            )
        for hashed in skipped:
            connection.execute(
                "update raw.forgotten set _dlt_load_id = ? where resource = ? and id_hash = ?",
                [load_id, resource, hashed],
            )
