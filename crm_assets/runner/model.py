"""A model: a template that becomes a table or view, with its documentation and data tests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property, partial
from typing import Any

from crm_assets.runner.data_tests import SINGULAR, DataTest, read_data_tests
from crm_assets.runner.lineage import is_stable, tables_read
from crm_assets.runner.project import Config, Node
from crm_assets.runner.seeds import column_types
from crm_assets.runner.templates import Relation, Scope, refuse, statements
from crm_assets.warehouse.tables import PRESENT, RAW, literal

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


def assets_behind(reads: frozenset[str]) -> frozenset[str]:
    """The addresses of the assets that write these tables, without log tables."""
    return frozenset(map(asset_behind, reads - BOOKKEEPING))


@dataclass(frozen=True, eq=False, repr=False)
class Model(Node):
    """One model, seed or snapshot.

    Attributes:
        known: All models by their name in the project, for `ref`.
        singular_tests: Address of a model -> its data tests in separate files.
    """

    known: Mapping[str, "Model"]
    singular_tests: Mapping[str, Sequence[DataTest]]

    @cached_property
    def this(self) -> Relation:
        """Its table or view, in SQL."""
        return Relation(self.schema, self.named_by("generate_alias_name", "alias"))

    @property
    def name(self) -> str:
        """Its table's name: its file's, or its alias."""
        return self.this.name

    @property
    def address(self) -> str:
        """`schema.name`: its table or view."""
        return self.this.address

    @property
    def materialized(self) -> str:
        """view, table, incremental, ephemeral, seed or snapshot."""
        own = {"seeds": "seed", "snapshots": "snapshot"}
        return own.get(self.resource_type) or str(self.config.get("materialized", "view"))

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

    @cached_property
    def description(self) -> str:
        """What a row is."""
        return self.described(self.properties)

    @cached_property
    def columns(self) -> Mapping[str, str]:
        """Described column -> description."""
        texts = {column["name"]: self.described(column) for column in self.properties.get("columns") or []}
        return {name: text for name, text in texts.items() if text.strip()}

    @property
    def contract(self) -> Mapping[str, str | None] | None:
        """Column -> its type, by an enforced contract; None without one."""
        if not (self.config.get("contract") or {}).get("enforced"):
            return None
        return {column["name"]: column.get("data_type") for column in self.properties.get("columns") or []}

    @property
    def metrics(self) -> Mapping[str, str]:
        """Metric -> the column whose description defines it: `meta: {metric: …}`."""
        columns = self.properties.get("columns") or []
        metas = ((column["name"], (column.get("config") or {}).get("meta") or {}) for column in columns)
        return {meta["metric"]: name for name, meta in metas if "metric" in meta}

    def scope(self, variables: Mapping[str, Any] | None = None, *, keep_rows: bool = False) -> Scope:
        """What its template and its tests can use.

        Args:
            variables: Those of the session; None while definitions load.
            keep_rows: Whether it keeps rows of earlier builds.
        """
        names = {"this": self.this, "is_incremental": lambda: keep_rows, "config": Config(self.config)}
        scope = self.project.scope(names, variables)
        scope |= {"ref": partial(self._ref, scope, variables), "source": partial(self._source, scope.reads)}
        return scope

    def select(self, variables: Mapping[str, Any] | None = None, *, keep_rows: bool = False) -> str:
        """Its SELECT, to be used in other statements. The arguments are those of `scope`."""
        return self.select_in(self.scope(variables, keep_rows=keep_rows))

    def select_in(self, scope: Scope) -> str:
        """Its SELECT in a scope, which gets what it reads."""
        if self.materialized == "seed":
            types = column_types(self.path, self.config.get("column_types") or {})
            columns = {literal(column): literal(type_) for column, type_ in types.items()}
            return str(statements()["seed_select"](literal(str(self.path)), columns))
        return scope.render(self.path, self.text).rstrip().rstrip(";")

    def _ref(self, scope: Scope, variables: Mapping[str, Any] | None, *names: str, **version: Any) -> Relation:
        if version:
            refuse("versions of models are not supported: write a file for each version, and its name in ref")
        model = self.known.get(names[-1])
        if model is None or names[:-1] not in {(), (self.project.name,)}:
            refuse(f"there is no model {'.'.join(names)}: correct the name, or enable it")
        if model.materialized != "ephemeral":
            scope.reads.add(model.address)
            return model.this
        inner = model.scope(variables)
        select = Relation(model.schema, model.name, f"(\n{model.select_in(inner)}\n)")
        scope.reads.update(inner.reads)
        return select

    def _source(self, reads: set[str], *names: str) -> Relation:
        relation = self.project.sources.get(names)
        if relation is None:
            refuse(f"there is no source {'.'.join(names)}: correct the name, or add it to sources")
        reads.add(relation.address)
        return relation

    @cached_property
    def _loaded(self) -> tuple[Scope, str, str, frozenset[str]]:
        """A scope without a session, its SELECT there and with rows, and what `ref` and `source` stand for in both."""
        scope, incremental = self.scope(), self.scope(keep_rows=True)
        select = self.select_in(scope)
        later = self.select_in(incremental) if self.keeps_rows else select
        return scope, select, later, frozenset(scope.reads | incremental.reads - {self.address})

    @property
    def sql(self) -> str:
        """Its SELECT with the project's variables, without earlier rows."""
        return self._loaded[1]

    @property
    def later_sql(self) -> str:
        """The same where there are earlier rows."""
        return self._loaded[2]

    def line_of(self, rendered: str, number: int) -> int:
        """The line of its file from which a line of its rendered SELECT comes."""
        lines = (rendered.splitlines(), self.text.splitlines())
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
        implied = []
        if self.keeps_rows and self.unique_key:
            key = self.unique_key[0] if len(self.unique_key) == 1 else f"({', '.join(self.unique_key)})"
            unique = "dbt_scd_id" if self.materialized == "snapshot" else key
            implied = [(unique, "unique"), *((column, "not_null") for column in self.unique_key)]
        return [
            replace(test, reads=self.read_by(test) - {self.address}, description=test.described(self._loaded[0]))
            for test in (*read_data_tests(self, self._loaded[0], implied), *self.singular_tests.get(self.address, ()))
        ]

    def read_by(self, test: DataTest) -> frozenset[str]:
        """The addresses of all tables that a test reads."""
        scope, *_ = self._loaded
        scope.reads.clear()
        query = test.query(scope, self.address)
        return frozenset({*scope.reads, *(tables_read(query) if test.kind == SINGULAR else ())})

    @property
    def own_tests(self) -> Sequence[DataTest]:
        """The data tests that only need the log tables and tables that the model reads."""
        within_reach = self.depends_on | {self.address}
        return [test for test in self.data_tests if assets_behind(test.reads) <= within_reach]

    @property
    def cross_tests(self) -> Sequence[DataTest]:
        """The data tests that compare with a table that the model does not read."""
        own = self.own_tests
        return [test for test in self.data_tests if test not in own]

    @property
    def compared_with(self) -> frozenset[str]:
        """The tables that have to be there first, for its blocking tests."""
        return frozenset().union(*(test.reads for test in self.cross_tests if test.blocks))

    @property
    def code_version(self) -> str:
        """A hash that changes with the SQL or the materialization, so that the UI shows stale tables."""
        content = self.path.read_text(encoding="utf-8") if self.materialized == "seed" else self.sql
        return hashlib.sha256(f"{self.materialized}\n{content}".encode()).hexdigest()[:16]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every table that it reads, in lower case: `schema.table`, or a bare name that is not a CTE."""
        return (tables_read(self.sql) if self.materialized != "seed" else frozenset()) | self._loaded[3]

    @property
    def depends_on(self) -> frozenset[str]:
        """Addresses of the assets that it reads: all its tables except the log tables."""
        return assets_behind(self.reads)

    @cached_property
    def parents(self) -> Mapping[str, "Model"]:
        """The models that it reads, by address."""
        depends_on = self.depends_on
        return {model.address: model for model in self.known.values() if model.address in depends_on}

    @cached_property
    def asks_for_time(self) -> bool:
        """Whether what it has may depend on when it is built. A seed reads a file."""
        if self.materialized in {"seed", "snapshot"}:
            return self.materialized == "snapshot"
        return bool(self.config.get("depends_on_today")) or not all(map(is_stable, {self.sql, self.later_sql}))
