"""A model: a template that becomes a table or view, with its documentation and data tests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from crm_assets.runner.data_tests import SINGULAR, DataTest, read_data_tests
from crm_assets.runner.parsing import tables_read
from crm_assets.runner.project import Config, File, Project
from crm_assets.runner.seeds import seed_select
from crm_assets.runner.templates import Relation, Scope, refuse
from crm_assets.warehouse.names import PRESENT, RAW, identifier

DBT_COLUMNS = frozenset({"dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to", "dbt_is_deleted"})
"""The columns that a snapshot adds, the last one only with hard_deletes: new_record."""

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


@dataclass(frozen=True)
class Model:
    """One model, seed or snapshot.

    Attributes:
        project: The project.
        file: Its file, with its configuration and its entry in YAML.
        schema: Its DuckDB schema.
        known: All models by their name in the project, for `ref`.
        singular_tests: Address of a model -> its data tests in separate files.
    """

    project: Project = field(repr=False, compare=False)
    file: File
    schema: str
    known: Mapping[str, "Model"] = field(repr=False, compare=False)
    singular_tests: Mapping[str, Sequence[DataTest]] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Its table's name: its file's, or its alias."""
        return str(self.config.get("alias") or self.file.name)

    @property
    def address(self) -> str:
        """`schema.name`: its table or view."""
        return f"{self.schema}.{self.name}"

    @property
    def relation(self) -> str:
        """The same, quoted for SQL statements."""
        return identifier(self.schema, self.name)

    @property
    def path(self) -> Path:
        """The SQL or CSV file; for a snapshot that has none, the YAML."""
        return self.file.path

    @property
    def properties_path(self) -> Path | None:
        """The YAML file that documents it; None if none does."""
        return self.file.properties_path

    @property
    def config(self) -> Mapping[str, Any]:
        """How to build it: materialized, unique_key, and the keys of snapshots and seeds."""
        return self.file.config

    @property
    def materialized(self) -> str:
        """view, table, incremental, ephemeral, seed or snapshot."""
        own = {"seeds": "seed", "snapshots": "snapshot"}
        return own.get(self.file.kind) or str(self.config.get("materialized", "view"))

    @property
    def kind(self) -> str:
        """Its kind in DuckDB: view or table."""
        return "view" if self.materialized == "view" else "table"

    @property
    def keeps_rows(self) -> bool:
        """Whether it keeps rows of earlier builds, which cannot be rebuilt."""
        return self.materialized in {"incremental", "snapshot"}

    @property
    def may_be_refreshed(self) -> bool:
        """Whether a full refresh drops its earlier rows, as in dbt: not with `full_refresh: false`."""
        return self.materialized == "incremental" and self.config.get("full_refresh") is not False

    @property
    def unique_key(self) -> Sequence[str]:
        """The columns that identify rows of an incremental model or a snapshot."""
        key = self.config.get("unique_key") or []
        return [key] if isinstance(key, str) else list(key)

    @cached_property
    def description(self) -> str:
        """What a row is."""
        return self.project.text(self.file, self.file.properties.get("description"))

    @property
    def owner(self) -> str | None:
        """Its owner, if not the default: `meta.owner`."""
        owner = (self.config.get("meta") or {}).get("owner")
        return None if owner is None else str(owner)

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Described column -> description."""
        columns = self.file.properties.get("columns") or []
        texts = ((column["name"], self.project.text(self.file, column.get("description"))) for column in columns)
        return {name: text for name, text in texts if text.strip()}

    @property
    def metrics(self) -> Mapping[str, str]:
        """Metric -> the column whose description defines it: `meta: {metric: …}`."""
        columns = self.file.properties.get("columns") or []
        metas = ((column["name"], (column.get("config") or {}).get("meta") or {}) for column in columns)
        return {meta["metric"]: name for name, meta in metas if "metric" in meta}

    def scope(
        self, variables: Mapping[str, Any] | None = None, *, keep_rows: bool = False, reads: set[str] | None = None
    ) -> Scope:
        """What its template and its tests can use.

        Args:
            variables: Those of the session; None while definitions load.
            keep_rows: Whether it keeps rows of earlier builds.
            reads: Gets the addresses that `ref` and `source` stand for.
        """
        noted: set[str] = set() if reads is None else reads
        return self.project.scope(
            {
                "ref": partial(self._ref, noted, variables),
                "source": partial(self._source, noted),
                "this": Relation(self.schema, self.name),
                "is_incremental": lambda: keep_rows,
                "config": Config(self.config),
                "model": {"name": self.name, "schema": self.schema, "config": self.config},
            },
            variables,
        )

    def select(
        self, variables: Mapping[str, Any] | None = None, *, keep_rows: bool = False, reads: set[str] | None = None
    ) -> str:
        """Its SELECT, to be used in other statements. The arguments are those of `scope`."""
        if self.materialized == "seed":
            return seed_select(self.path, self.config)
        scope = self.scope(variables, keep_rows=keep_rows, reads=reads)
        return self.project.templates.render(self.path, self.file.text, scope).rstrip().rstrip(";")

    def _ref(self, reads: set[str], variables: Mapping[str, Any] | None, *names: str, **version: Any) -> Relation:
        model = self.known.get(names[-1])
        if model is None:
            refuse(f"there is no model {names[-1]}: correct the name")
        if version:
            refuse("versions of a model are not supported: write a file for each")
        if model.materialized == "ephemeral":
            return Relation(model.schema, model.name, f"(\n{model.select(variables, reads=reads)}\n)")
        reads.add(model.address)
        return Relation(model.schema, model.name)

    def _source(self, reads: set[str], *names: str) -> Relation:
        relation = self.project.sources.get(names)
        if relation is None:
            refuse(f"there is no source {'.'.join(names)}: correct the name, or add it to sources")
        reads.add(f"{relation.schema}.{relation.name}")
        return relation

    @cached_property
    def _rendered(self) -> tuple[str, frozenset[str]]:
        reads: set[str] = set()
        return self.select(reads=reads), frozenset(reads)

    @property
    def sql(self) -> str:
        """Its SELECT with the project's variables, without earlier rows."""
        return self._rendered[0]

    def line_of(self, rendered: str, number: int) -> int:
        """The line of its file from which a line of its rendered SELECT comes."""
        lines = (rendered.splitlines(), self.file.text.splitlines())
        for _, start, end, first, last in SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
            if start < number <= end:
                return first + min(number - start, max(last - first, 1))
        return number

    @cached_property
    def data_tests(self) -> Sequence[DataTest]:
        """Its data tests, including implied ones of the key of an incremental model and of a snapshot's ids.

        Raises:
            ModelsRefused: A test is not written correctly.
        """
        tests = read_data_tests(self.project, self.file, self._implied_tests)
        templates, scope = self.project.templates, self._noting[0]
        return [
            replace(test, reads=self.read_by(test) - {self.address}, description=test.described(templates, scope))
            for test in [*tests, *self.singular_tests.get(self.address, ())]
        ]

    def read_by(self, test: DataTest) -> frozenset[str]:
        """The addresses of all tables that a test reads."""
        scope, reads = self._noting
        reads.clear()
        query = test.query(self.project.templates, scope, self.address)
        return frozenset({*reads, *(tables_read(query) if test.kind == SINGULAR else ())})

    @cached_property
    def _noting(self) -> tuple[Scope, set[str]]:
        reads: set[str] = set()
        return self.scope(reads=reads), reads

    @property
    def _implied_tests(self) -> Sequence[tuple[str, str]]:
        if not self.keeps_rows or not self.unique_key:
            return []
        key = self.unique_key[0] if len(self.unique_key) == 1 else f"({', '.join(self.unique_key)})"
        unique = "dbt_scd_id" if self.materialized == "snapshot" else key
        return [(unique, "unique"), *((column, "not_null") for column in self.unique_key)]

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
    def code_version(self) -> str:
        """A hash that changes with the SQL or the materialization, so that the UI shows stale tables."""
        content = self.path.read_text(encoding="utf-8") if self.materialized == "seed" else self.sql
        return hashlib.sha256(f"{self.materialized}\n{content}".encode()).hexdigest()[:16]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table that it reads, in lower case: `schema.table`, or a bare name that is not a CTE."""
        return (tables_read(self.sql) if self.materialized != "seed" else frozenset()) | self._rendered[1]

    @property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the assets that it reads: all its tables except the log tables."""
        return frozenset(map(asset_behind, self.reads - BOOKKEEPING))

    @property
    def shows_side_loads(self) -> bool:
        """Whether it reads side-loaded records."""
        return SIDE_LOADED in self.reads
