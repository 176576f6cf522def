"""Gives stored values the configured policy: leaves them out or hashes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from crm_assets.api import ENDPOINTS, OWN_TABLES
from crm_assets.errors import counted
from crm_assets.loading.raw_tables import declare_tables, own_columns, present_view, raw_table
from crm_assets.loading.shared_tables import create_shared_tables, keep_distinct
from crm_assets.privacy.personal_columns import SCD_ID, Histories, HistoryColumn
from crm_assets.privacy.policy import Policy, set_policy, stored_policy
from crm_assets.runner.lineage import known_columns
from crm_assets.settings import CrmSettings, PersonalData
from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import Column, resource_schema, side_loaded_columns
from crm_assets.source.typing.columns import FURTHER, as_json, varies
from crm_assets.source.typing.redaction import Redaction, ValueRules
from crm_assets.source.typing.side_loads import keeps_array, shown_array
from crm_assets.warehouse.tables import PRESENT, RAW, existing_tables, identifier, literal, relation
from crm_assets.warehouse.transactions import committed, rolled_back

TEXT, JSON = "VARCHAR", "JSON"

RAW_TABLES = frozenset(f"{RAW}.{table}" for table in (*ENDPOINTS, *OWN_TABLES))
"""The raw tables that the project writes."""


WITHOUT_MESSAGES = """
update raw.sync_details
set incomplete_because = regexp_replace(incomplete_because, '[''"].*[''"]', '…', 's')
where regexp_matches(incomplete_because, '[''"].*[''"]', 's')
"""
"""Reasons quote the API's own messages, which may name people."""


@dataclass(frozen=True)
class PolicyChange:
    """What a change of the policy does to stored data.

    Attributes:
        sentences: What changes: names and counts, no values.
        dropped: Addresses of the tables to rebuild.
    """

    sentences: Sequence[str] = ()
    dropped: Sequence[str] = ()


CONSEQUENCES: Mapping[PersonalData, str] = {
    PersonalData.keep: "Nothing is destroyed. Values that were left out or hashed are loaded by the next full read "
    "of each list, as far as the CRM still lists them",
    PersonalData.leave_out: "These values, columns and tables are destroyed. Nothing can restore them",
    PersonalData.hash: "These columns and tables are destroyed, and these values replaced with hashes (numbers and "
    "dates with nothing). Nothing can restore them",
}


def preview(connection: duckdb.DuckDBPyConnection, settings: CrmSettings, histories: Histories) -> PolicyChange:
    """What `change_policy` would do: does it in a transaction, and rolls that back. The arguments are the same."""
    with rolled_back(connection):
        return _change(connection, settings, histories)


def change_policy(connection: duckdb.DuckDBPyConnection, settings: CrmSettings, histories: Histories) -> PolicyChange:
    """Gives all stored data the configured policy, in one transaction; does nothing if they follow it.

    Tables built from raw ones are dropped, for the caller to rebuild, unless they keep history. Removed values are
    still to be erased from files.

    Args:
        connection: The warehouse, for writing.
        settings: The settings with the policy.
        histories: The tables that cannot be rebuilt.
    """
    return committed(connection, partial(_change, connection, settings, histories))


def _change(connection: duckdb.DuckDBPyConnection, settings: CrmSettings, histories: Histories) -> PolicyChange:
    configured, (stored, is_erased) = Policy.configured(settings), stored_policy(connection)
    if configured == stored:
        return PolicyChange()
    sentences, dropped = [stored.difference(configured)], []
    removes = configured.personal_data is not PersonalData.keep
    if removes:
        create_shared_tables(connection)
        declare_tables(connection)
        tables = existing_tables(connection)
        dropped += _unknown_tables(connection, tables)
        conversion = _Conversion(connection, settings, stored.personal_data is PersonalData.hash)
        sentences += conversion.of_raw_tables()
        for address in [a for a, kind in tables.items() if kind == "table" and not a.startswith(f"{RAW}.")]:
            if address in histories:
                sentences += conversion.of_history(address, histories[address])
            else:
                connection.execute(f"drop table {relation(address)}")
                dropped.append(address)
    set_policy(connection, configured, erased=is_erased and not removes)
    return PolicyChange([*sentences, CONSEQUENCES[configured.personal_data]], dropped)


def _unknown_tables(connection: duckdb.DuckDBPyConnection, tables: Mapping[str, str]) -> list[str]:
    """Drops raw tables that no read writes: of lists that are not read any more, copies, those of earlier releases."""
    logged = {name for (name,) in connection.execute("select distinct resource from raw.sync_log").fetchall()}
    former = sorted(logged - ENDPOINTS.keys())
    for resource in former:
        connection.execute(f"drop view if exists {relation(f'{PRESENT}.{resource}')}")
    raw = [address for address, kind in tables.items() if kind == "table" and address.startswith(f"{RAW}.")]
    dropped = [address for address in raw if address not in RAW_TABLES]
    for address in dropped:
        connection.execute(f"drop table {relation(address)}")
    connection.execute("delete from raw.rejected_records where resource in (select unnest(?))", [former])
    return dropped


@dataclass(frozen=True)
class _Conversion:
    """Gives stored values the configured policy. The methods return sentences on what has changed.

    Attributes:
        connection: The warehouse, within a transaction.
        settings: The settings with the policy.
        is_hashed: Whether the values are hashed now.
    """

    connection: duckdb.DuckDBPyConnection
    settings: CrmSettings
    is_hashed: bool

    def of_raw_tables(self) -> list[str]:
        changed = _count(self.connection, WITHOUT_MESSAGES)
        sentences = [f"{RAW}.sync_details: messages of the API in {counted(changed, 'row')}"] if changed else []
        for resource in ENDPOINTS:
            redaction = self._redaction(resource_schema(resource).columns)
            sentences += self._of_resource(resource, redaction)
            self.connection.execute(present_view(self.connection, resource))
            chosen = f"resource = {literal(resource)}"
            if changed := self._convert(f"{RAW}.rejected_records", "record", JSON, redaction.record, chosen):
                keep_distinct(self.connection, "rejected_records", resource)  # may be equal without personal data
                sentences.append(f"{RAW}.rejected_records: {counted(changed, 'record')} of {resource}")
        return sentences + self._of_side_loads()

    def of_history(self, address: str, columns: Sequence[HistoryColumn]) -> list[str]:
        layer, _, table = address.partition(".")
        known = {column.name: self._redacted(column, address) for column in columns}
        types = known_columns(self.connection)[layer][table]
        return self._of_columns(address, types, {name: known[name.lower()] for name in types if name.lower() in known})

    def _redaction(self, columns: Mapping[str, Column]) -> Redaction:
        return Redaction(self.settings, columns, is_hashed=self.is_hashed)

    def _of_side_loads(self) -> list[str]:
        sentences, table = [], f"{RAW}.side_loaded"
        for (array,) in self.connection.execute(f"select distinct array_name from {table} order by 1").fetchall():
            redaction, chosen = self._redaction(side_loaded_columns(array)), f"array_name = {literal(array)}"
            changed = self._convert(table, "record", JSON, redaction.record, chosen)
            sentences += [f"{table}: {shown_array(array)}: {counted(changed, 'record')}"] if changed else []
            if not keeps_array(self.settings, array, {}):
                emptied = " and record::varchar = '{}'" if keeps_array(self.settings, array, {"any": "record"}) else ""
                self.connection.execute(f"delete from {table} where {chosen}{emptied}")
        return sentences

    def _of_resource(self, resource: str, redaction: Redaction) -> list[str]:
        columns = own_columns(self.connection, resource)
        # DuckDB requires that a transaction drops columns before it changes rows.
        dropped = [name for name in columns if name != FURTHER and not redaction.keeps(varies(name) or name)]
        for name in dropped:
            self.connection.execute(f"alter table {raw_table(resource)} drop column {identifier(name)}")
        if dropped:  # A lake's files keep the values of a dropped column until all their rows have been written again.
            self.connection.execute(f"update {raw_table(resource)} set _dlt_id = _dlt_id")
        fields = {name: varies(name) or name for name in columns if name not in dropped}
        redacted: dict[str, Callable[[Any], Any]] = {n: partial(redaction.field, field) for n, field in fields.items()}
        if FURTHER in fields:
            redacted[FURTHER] = lambda record: redaction.record(record) or None
        # Their names are not shown: keys can be data.
        sentences = [f"{RAW}.{resource}: dropped {counted(len(dropped), 'undeclared column')}"] if dropped else []
        return sentences + self._of_columns(f"{RAW}.{resource}", columns, redacted)

    def _redacted(self, column: HistoryColumn, address: str) -> Callable[[Any], Any]:
        """What becomes of the values of a history's column."""
        if column.name == SCD_ID:
            return lambda _: uuid4().hex
        if column.copy_of:
            resource, field = column.copy_of
            return partial(self._redaction(resource_schema(resource).columns).field, field)
        return partial(self._redaction({}).value, rules=ValueRules(address, column.is_personal))

    def _of_columns(
        self, address: str, types: Mapping[str, str], redacted: Mapping[str, Callable[[Any], Any]]
    ) -> list[str]:
        counts = {name: self._convert(address, name, types[name], becomes) for name, becomes in redacted.items()}
        changed = ", ".join(f"{name} ({count:,})" for name, count in counts.items() if count)
        return [f"{address}: values changed in {changed}"] if changed else []

    def _convert(
        self, address: str, column: str, type_: str, redacted: Callable[[Any], Any], where: str = "true"
    ) -> int:
        """Replaces each value of a column, in the rows selected. Returns how many rows changed."""
        name, table = identifier(column), relation(address)
        chosen = f"{where} and {name} is not null"
        if type_ not in {TEXT, JSON}:
            # Only text and JSON can be redacted in part, or hashed. Values of other types are removed or kept.
            removed = f"update {table} set {name} = null where {chosen}"
            return _count(self.connection, removed) if redacted(0) is None else 0
        found = self.connection.execute(f"select distinct {name}::varchar from {table} where {chosen}").fetchall()
        texts = {text: _redacted_text(text, type_, redacted) for (text,) in found}
        changes = {text: after for text, after in texts.items() if after != text}
        if not changes:
            return 0
        after = pa.array([*changes.values()], pa.string())
        self.connection.register("changes", pa.table({"before": pa.array([*changes], pa.string()), "after": after}))
        update = f"update {table} set {name} = changes.after::{type_} from changes"
        changed = _count(self.connection, f"{update} where {chosen} and {name}::varchar = changes.before")
        self.connection.unregister("changes")
        return changed


def _redacted_text(text: str, type_: str, redacted: Callable[[Any], Any]) -> str | None:
    if type_ == TEXT:
        after = redacted(text)
        return after if after is None or isinstance(after, str) else as_json(after)
    value = parse_json(text.encode())
    after = redacted(value)
    return text if after == value else None if after is None else as_json(after)


def _count(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    [[count]] = connection.execute(statement).fetchall()
    return int(count)
