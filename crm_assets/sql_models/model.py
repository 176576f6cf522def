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

from crm_assets.source.api import ENDPOINTS
from crm_assets.sql_models.data_tests import DataTest, read_data_tests
from crm_assets.warehouse.present import PRESENT
from crm_assets.warehouse.raw_tables import RAW

FOLDER_DEFAULTS: Mapping[str, str] = MappingProxyType({"staging": "view", "marts": "table"})
"""Folder -> materialization. A folder is also the DuckDB schema and the asset group of its models."""

BOOKKEEPING = frozenset(
    {"raw.sync_log", "raw.sync_details", "raw.rejected_records", "raw.side_loaded", "present.since"}
)
"""Tables that every raw asset writes to; they are no assets."""


SIDE_LOADED = "raw.side_loaded"
"""What a model that reads it is built after: all raw assets, as any of them may bring users, stages and the like."""


def asset_behind(address: str) -> str:
    """The address of the asset that keeps a table: `raw.accounts` also for the view of its present rows."""
    schema, _, table = address.partition(".")
    return f"{RAW}.{table}" if schema == PRESENT else address


@dataclass(frozen=True)
class Model:
    """One model.

    Attributes:
        folder: Its folder below `models/`, which is its DuckDB schema.
        name: Its file's name without `.sql`, which is its table's.
        path: The SQL file.
        sql: What the file holds.
        properties: Its entry in the folder's YAML: description, config, meta, columns, data_tests.
        properties_path: The YAML file of that entry; None when the model has none.
    """

    folder: str
    name: str
    path: Path
    sql: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    properties_path: Path | None = None

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
        """How to build it: materialized, unique_key."""
        return self.properties.get("config") or {}

    @property
    def materialized(self) -> str:
        """view, table or incremental."""
        return str(self.config.get("materialized", FOLDER_DEFAULTS[self.folder]))

    @property
    def kind(self) -> str:
        """What it is in DuckDB: view or table."""
        return "view" if self.materialized == "view" else "table"

    @property
    def keeps_rows(self) -> bool:
        """Whether it keeps rows of earlier builds, which cannot be made again."""
        return self.materialized == "incremental"

    @property
    def unique_key(self) -> str | None:
        """The column by which an incremental model replaces rows."""
        key = self.config.get("unique_key")
        return None if key is None else str(key)

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
        return {column["name"]: column.get("description") or "" for column in self.properties.get("columns") or []}

    @cached_property
    def data_tests(self) -> Sequence[DataTest]:
        """Its tests. The key of an incremental model is tested always, as earlier rows go by it.

        Raises:
            DataTestError: A test is not written as it should be.
        """
        tests = read_data_tests(self.properties)
        if self.materialized == "incremental" and self.unique_key:
            declared = {(test.kind, test.column) for test in tests}
            implied = [("unique", self.unique_key), ("not_null", self.unique_key)]
            tests += [DataTest(kind, column) for kind, column in implied if (kind, column) not in declared]
        return tests

    @property
    def own_tests(self) -> Sequence[DataTest]:
        """The tests that need no other tables than those the model reads."""
        within_reach = self.depends_on | {self.address}
        return [
            test for test in self.data_tests if asset_behind(test.arguments.get("to", self.address)) in within_reach
        ]

    @property
    def cross_tests(self) -> Sequence[DataTest]:
        """The tests that compare with a table which the model does not read."""
        own = self.own_tests
        return [test for test in self.data_tests if test not in own]

    @property
    def key_columns(self) -> Sequence[str]:
        """Columns that tell rows apart, as far as the tests say so; the first column when they do not."""
        uniques = [test.columns for test in self.data_tests if test.kind in {"unique", "unique_combination"}]
        return uniques[0] if uniques else list(self.columns)[:1]

    @property
    def code_version(self) -> str:
        """Changes when the SQL or how it is materialized changes, so that the UI shows what is stale."""
        return hashlib.sha256(f"{self.materialized}\n{self.sql}".encode()).hexdigest()[:16]

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
        ctes = {cte.alias.lower() for cte in self.query.find_all(exp.CTE)}
        tables = [table for table in self.query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
        addresses = {".".join(part for part in (table.db, table.name) if part).lower() for table in tables}
        return frozenset(addresses - ctes)

    @property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the assets it reads: all its tables but for the raw assets' own records."""
        side_loaded_by = {f"{RAW}.{resource}" for resource in ENDPOINTS} if SIDE_LOADED in self.reads else set()
        return frozenset({*map(asset_behind, self.reads - BOOKKEEPING), *side_loaded_by})
