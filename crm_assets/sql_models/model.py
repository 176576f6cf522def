"""A model: one SELECT with its documentation and tests, and what follows from them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlglot
from sqlglot import exp

from crm_assets.sql_models.data_tests import DataTest, read_data_tests
from crm_assets.sql_models.folders import FOLDERS
from crm_assets.warehouse.present import PRESENT
from crm_assets.warehouse.raw_tables import RAW

DBT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "dbt_scd_id": "What tells the row from all others: a hash of its key and of dbt_updated_at.",
        "dbt_updated_at": "The time from which the row is known to be so.",
        "dbt_valid_from": "From when on the row was so, as far as it was seen. Times of the run are in UTC.",
        "dbt_valid_to": "Until when; null while it is still so.",
    }
)
"""The columns that a snapshot adds, as dbt does, with what they hold."""

DELETED_COLUMN: Mapping[str, str] = MappingProxyType(
    {"dbt_is_deleted": "'True' while the record was gone, or else 'False'."}
)
"""The column that a snapshot with hard_deletes: new_record adds besides."""

BOOKKEEPING = frozenset(
    {"raw.sync_log", "raw.sync_details", "raw.rejected_records", "raw.side_loaded", "present.since"}
)
"""Tables that every raw asset writes to; they are no assets."""


SIDE_LOADED = "raw.side_loaded"
"""Users, stages and the like, which any raw asset may bring. A model that reads it depends on none of them: one list
that the CRM refuses would keep back everything that shows a name."""


def asset_behind(address: str) -> str:
    """The address of the asset that keeps a table: `raw.accounts` also for the view of its present rows."""
    schema, _, table = address.partition(".")
    return f"{RAW}.{table}" if schema == PRESENT else address


def tables_read(query: exp.Query) -> frozenset[str]:
    """Every table that a query reads as `schema.table`, or bare when it is no CTE either, in lower case."""
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
        sql: What the file holds; of a seed and of a snapshot without a file, the SELECT that reads it.
        properties: Its entry in the folder's YAML: description, config, meta, columns, data_tests.
        properties_path: The YAML file of that entry; None when the model has none.
        singular_tests: Those of its tests that are files of their own.
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
        """`folder.name`: how other models refer to it."""
        return f"{self.folder}.{self.name}"

    @property
    def relation(self) -> str:
        """The address with its parts quoted, for statements."""
        return f'"{self.folder}"."{self.name}"'

    @property
    def select(self) -> str:
        """The SELECT alone, to be put into other statements: without a semicolon at its end."""
        return self.sql.rstrip().rstrip(";")

    @property
    def config(self) -> Mapping[str, Any]:
        """How to build it: materialized, unique_key, and what a snapshot or seed needs besides."""
        return self.properties.get("config") or {}

    @property
    def materialized(self) -> str:
        """view, table, incremental, snapshot or seed."""
        return str(self.config.get("materialized", FOLDERS[self.folder].materializations[0]))

    @property
    def kind(self) -> str:
        """What it is in DuckDB: view or table."""
        return "view" if self.materialized == "view" else "table"

    @property
    def keeps_rows(self) -> bool:
        """Whether it keeps rows of earlier builds, which cannot be made again."""
        return self.materialized in {"incremental", "snapshot"}

    @property
    def unique_key(self) -> Sequence[str]:
        """The columns by which an incremental model replaces rows, and a snapshot knows them again."""
        key = self.config.get("unique_key") or []
        return [key] if isinstance(key, str) else list(key)

    @property
    def description(self) -> str:
        """What a row is."""
        return str(self.properties.get("description") or "")

    @property
    def owner(self) -> str | None:
        """Its owner, where it is another than that of all assets: `meta.owner`, as in dbt also within `config`."""
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
        """Its tests. What earlier rows go by is tested always: the key of an incremental model, a snapshot's ids.

        Raises:
            DataTestError: A test is not written as it should be.
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
        """The tests that need no other tables than those the model reads."""
        within_reach = self.depends_on | {self.address}
        return [test for test in self.data_tests if set(map(asset_behind, test.reads)) <= within_reach]

    @property
    def cross_tests(self) -> Sequence[DataTest]:
        """The tests that compare with a table which the model does not read."""
        own = self.own_tests
        return [test for test in self.data_tests if test not in own]

    @property
    def key_columns(self) -> Sequence[str]:
        """Columns that tell rows apart, as far as the tests say so; the first column when they do not."""
        uniques = [
            test.columns
            for test in self.data_tests
            if test.kind in {"unique", "dbt_utils.unique_combination_of_columns"}
        ]
        return uniques[0] if uniques else list(self.columns)[:1]

    @property
    def code_version(self) -> str:
        """Changes when the SQL or how it is materialized changes, so that the UI shows what is stale."""
        content = self.path.read_text(encoding="utf-8") if self.materialized == "seed" else self.sql
        return hashlib.sha256(f"{self.materialized}\n{content}".encode()).hexdigest()[:16]

    @cached_property
    def statements(self) -> Sequence[exp.Expr]:
        """The file, parsed.

        Raises:
            sqlglot.errors.SqlglotError: It is not SQL as DuckDB writes it.
        """
        return [statement for statement in sqlglot.parse(self.sql, dialect="duckdb") if statement is not None]

    @property
    def query(self) -> exp.Query:
        """The SELECT, parsed.

        Raises:
            TypeError: The file holds something else.
        """
        if len(self.statements) != 1 or not isinstance(self.statements[0], exp.Query):
            raise TypeError(f"{self.path} is not one SELECT")
        return self.statements[0]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table that its SQL reads as `schema.table`, or bare when it is no CTE either, in lower case."""
        return tables_read(self.query)

    @property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the assets it reads: all its tables but for the raw assets' own records."""
        return frozenset(map(asset_behind, self.reads - BOOKKEEPING))

    @property
    def shows_side_loads(self) -> bool:
        """Whether it reads what answers carried beside their list's records."""
        return SIDE_LOADED in self.reads
