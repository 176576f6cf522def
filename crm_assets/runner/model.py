"""A model: one SELECT with its documentation and data tests, and the properties derived from them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlglot
from sqlglot import exp

from crm_assets.runner.data_tests import DataTest, read_data_tests
from crm_assets.runner.folders import FOLDERS
from crm_assets.warehouse.quoting import identifier
from crm_assets.warehouse.schemas import PRESENT, RAW

DBT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "dbt_scd_id": "Unique id of the row: a hash of its key and of dbt_updated_at.",
        "dbt_updated_at": "The time of the change that the row shows.",
        "dbt_valid_from": "The time from which the row was valid, as far as seen. Times of the run are in UTC.",
        "dbt_valid_to": "The time until which the row was valid; null if it still is.",
    }
)
"""The columns that a snapshot adds, as in dbt -> description."""

DELETED_COLUMN: Mapping[str, str] = MappingProxyType(
    {"dbt_is_deleted": "'True' if the record was deleted, else 'False'."}
)
"""The additional column of a snapshot with hard_deletes: new_record."""

BOOKKEEPING = frozenset(
    {"raw.sync_log", "raw.sync_details", "raw.rejected_records", "raw.side_loaded", "present.since"}
)
"""Tables that every raw asset writes to. They are not assets."""


SIDE_LOADED = "raw.side_loaded"
"""Side-loaded records, which any raw asset may add. A model that reads this table depends on no raw asset for it:
otherwise one list that the CRM refuses would block every model that shows names."""


def asset_behind(address: str) -> str:
    """The address of the asset that writes a table: `raw.accounts` also for `present.accounts`."""
    schema, _, table = address.partition(".")
    return f"{RAW}.{table}" if schema == PRESENT else address


def tables_read(query: exp.Expr) -> frozenset[str]:
    """Every table that a query reads, in lower case: `schema.table`, or a bare name that is not a CTE."""
    ctes = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
    tables = [table for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    addresses = {".".join(part for part in (table.db, table.name) if part).lower() for table in tables}
    return frozenset(addresses - ctes)


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        folder: Its folder below `models/`, which is its DuckDB schema.
        name: Its file's name without `.sql`, which is its table's.
        path: The SQL file.
        sql: The content of the file; for a seed, or a snapshot without a file, the SELECT that reads it.
        properties: Its entry in the folder's YAML: description, config, meta, columns, data_tests.
        properties_path: The YAML file of that entry; None if the model has none.
        singular_tests: Its data tests in separate files.
    """

    folder: str
    name: str
    path: Path
    sql: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    properties_path: Path | None = None
    singular_tests: Sequence[DataTest] = ()

    @property
    def address(self) -> str:
        """`folder.name`: its table or view, and how other models refer to it."""
        return f"{self.folder}.{self.name}"

    @property
    def relation(self) -> str:
        """The same, quoted for SQL statements."""
        return identifier(self.folder, self.name)

    @property
    def select(self) -> str:
        """The SELECT without a semicolon, to be used in other statements."""
        return self.sql.rstrip().rstrip(";")

    @property
    def config(self) -> Mapping[str, Any]:
        """How to build it: materialized, unique_key, and the keys of snapshots and seeds."""
        return self.properties.get("config") or {}

    @property
    def materialized(self) -> str:
        """view, table, incremental, snapshot or seed."""
        return str(self.config.get("materialized", FOLDERS[self.folder].materializations[0]))

    @property
    def kind(self) -> str:
        """Its kind in DuckDB: view or table."""
        return "view" if self.materialized == "view" else "table"

    @property
    def keeps_rows(self) -> bool:
        """Whether it keeps rows of earlier builds, which cannot be rebuilt."""
        return self.materialized in {"incremental", "snapshot"}

    @property
    def unique_key(self) -> Sequence[str]:
        """The columns that identify rows of an incremental model or a snapshot."""
        key = self.config.get("unique_key") or []
        return [key] if isinstance(key, str) else list(key)

    @property
    def description(self) -> str:
        """What a row is."""
        return str(self.properties.get("description") or "")

    @property
    def owner(self) -> str | None:
        """Its owner, if not the default: `meta.owner`, as in dbt also within `config`."""
        metas = (self.properties.get("meta"), self.config.get("meta"))
        return next((meta["owner"] for meta in metas if meta and "owner" in meta), None)

    @property
    def columns(self) -> Mapping[str, str]:
        """Documented column -> description."""
        written = {column["name"]: column.get("description") or "" for column in self.properties.get("columns") or []}
        if self.materialized != "snapshot" or not written:
            return written
        deleted = DELETED_COLUMN if self.config.get("hard_deletes") == "new_record" else {}
        return {**written, **{name: text for name, text in {**DBT_COLUMNS, **deleted}.items() if name not in written}}

    @cached_property
    def data_tests(self) -> Sequence[DataTest]:
        """Its data tests, including implied ones of the key of an incremental model and of a snapshot's ids.

        Raises:
            ModelsRefused: A test is not written correctly.
        """
        tests = [*read_data_tests(self.properties), *self.singular_tests]
        declared = {(test.kind, test.column) for test in tests}
        return [*tests, *(test for test in self._implied_tests if (test.kind, test.column) not in declared)]

    @property
    def _implied_tests(self) -> Sequence[DataTest]:
        if not self.keeps_rows or not self.unique_key:
            return []
        key_is_there = [DataTest("not_null", column) for column in self.unique_key]
        if self.materialized == "snapshot":
            return [DataTest("unique", "dbt_scd_id"), *key_is_there]
        if len(self.unique_key) > 1:
            combination = {"combination_of_columns": self.unique_key}
            return [DataTest("dbt_utils.unique_combination_of_columns", None, combination), *key_is_there]
        return [DataTest("unique", self.unique_key[0]), *key_is_there]

    @property
    def own_tests(self) -> Sequence[DataTest]:
        """The data tests that only need the log tables and tables that the model reads."""
        within_reach = self.depends_on | {self.address}
        return [test for test in self.data_tests if set(map(asset_behind, test.reads - BOOKKEEPING)) <= within_reach]

    @property
    def cross_tests(self) -> Sequence[DataTest]:
        """The data tests that compare with a table that the model does not read."""
        own = self.own_tests
        return [test for test in self.data_tests if test not in own]

    @property
    def key_columns(self) -> Sequence[str]:
        """The columns that are unique according to the tests; the first column if there is no such test."""
        uniques = [
            test.columns
            for test in self.data_tests
            if test.kind in {"unique", "dbt_utils.unique_combination_of_columns"}
        ]
        return uniques[0] if uniques else list(self.columns)[:1]

    @property
    def code_version(self) -> str:
        """A hash that changes with the SQL or the materialization, so that the UI shows stale tables."""
        content = self.path.read_text(encoding="utf-8") if self.materialized == "seed" else self.sql
        return hashlib.sha256(f"{self.materialized}\n{content}".encode()).hexdigest()[:16]

    @cached_property
    def statements(self) -> Sequence[exp.Expr]:
        """The file, parsed.

        Raises:
            sqlglot.errors.SqlglotError: It is not valid DuckDB SQL.
        """
        return [statement for statement in sqlglot.parse(self.sql, dialect="duckdb") if statement is not None]

    @property
    def query(self) -> exp.Query:
        """The SELECT, parsed.

        Raises:
            TypeError: The file has anything else.
        """
        if len(self.statements) != 1 or not isinstance(self.statements[0], exp.Query):
            raise TypeError(f"{self.path} is not one SELECT")
        return self.statements[0]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table that its SQL reads, in lower case: `schema.table`, or a bare name that is not a CTE."""
        return tables_read(self.query)

    @property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the assets that it reads: all its tables except the log tables."""
        return frozenset(map(asset_behind, self.reads - BOOKKEEPING))

    @property
    def shows_side_loads(self) -> bool:
        """Whether it reads side-loaded records."""
        return SIDE_LOADED in self.reads
