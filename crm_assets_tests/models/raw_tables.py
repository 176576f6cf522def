"""Raw tables with a few rows in them, and the models built on them by the project's own builder."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

import duckdb

from crm_assets.api import ENDPOINTS
from crm_assets.loading.raw_tables import DUCKDB_TYPES, present_view
from crm_assets.loading.shared_tables import create_shared_tables
from crm_assets.runner.builds import build, run_test
from crm_assets.runner.loading import load_models
from crm_assets.runner.model import Model
from crm_assets.runner.unchanged import variables_of
from crm_assets.source.schemas import resource_schema

FIRST, SECOND, THIRD = "1700000000.5", "1700000100.25", "1700000200.75"
"""Load ids, one after the other."""


@cache
def models() -> dict[str, Model]:
    """All models of the project by address, each after those that it reads."""
    known = {model.address: model for model in load_models()}
    order = TopologicalSorter({address: sorted(model.depends_on) for address, model in known.items()}).static_order()
    return {address: known[address] for address in order if address in known}


class RawTables:
    """An empty CRM in DuckDB, to which a test adds the rows that matter to it.

    A view is built once, since it shows whatever the raw tables hold; a table is built whenever it is asked for.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes the raw tables in an empty database."""
        self._views: set[str] = set()
        self._targets: list[Sequence[Any]] = []
        self.connection = connection
        self.connection.execute("set TimeZone = 'UTC'")
        create_shared_tables(self.connection)
        for resource in ENDPOINTS:
            columns = ", ".join(
                f'"{name}" {DUCKDB_TYPES[column.data_type]}'
                for name, column in resource_schema(resource).columns.items()
            )
            self.connection.execute(f"create table raw.{resource} ({columns}, _dlt_load_id varchar, _dlt_id varchar)")
            self.connection.execute(present_view(self.connection, resource))

    def clear(self) -> None:
        """Empties the raw tables and forgets marts and history."""
        for table in (*ENDPOINTS, "sync_log", "sync_details", "side_loaded"):
            self.connection.execute(f"delete from raw.{table}")
        for schema in ("marts", "snapshots"):
            self.connection.execute(f"drop schema if exists {schema} cascade")
        self.connection.execute("set TimeZone = 'UTC'")
        self._targets = []

    def add(self, resource: str, id: int, load: str = FIRST, **columns: Any) -> None:  # noqa: A002
        """Adds a row that `load` saw last."""
        row = {"id": id, "_dlt_load_id": load, **columns}
        names = ", ".join(f'"{name}"' for name in row)
        self.connection.execute(
            f"insert into raw.{resource} ({names}) values ({', '.join('?' for _ in row)})", list(row.values())
        )

    def add_each(self, resource: str, **columns: Sequence[Any]) -> None:
        """Adds rows with the ids 0, 1, 2 and so on, and each column's values in this order, in one statement."""
        ids = list(range(len(next(iter(columns.values())))))
        names = ", ".join(f'"{name}"' for name in columns)
        values = ", ".join("unnest(?)" for _ in columns)
        self.connection.execute(
            f"insert into raw.{resource} (id, _dlt_load_id, {names}) select unnest(?), ?, {values}",
            [ids, FIRST, *map(list, columns.values())],
        )

    def side_load(self, array: str, id: int, **fields: Any) -> None:  # noqa: A002
        """Adds a record that came beside others."""
        record = json.dumps({"id": id, **fields})
        self.connection.execute("insert into raw.side_loaded values (?, ?, ?, ?)", [array, id, record, FIRST])

    def change(self, resource: str, id: int, **columns: Any) -> None:  # noqa: A002
        """Changes columns of a row."""
        values = ", ".join(f'"{name}" = ?' for name in columns)
        self.connection.execute(f"update raw.{resource} set {values} where id = ?", [*columns.values(), id])

    def log(self, resource: str, load: str, mode: str = "full", *, complete: bool = True) -> None:
        """Adds a read to the log."""
        self.connection.execute(
            "insert into raw.sync_log values (?, ?, ?, now(), 1, 0, 0, null, ?)", [resource, mode, complete, load]
        )

    def set_targets(self, *rows: Sequence[Any]) -> None:
        """The content of `owner_targets.csv`: month, owner and amount."""
        self._targets = list(rows)

    def build(self, *addresses: str) -> None:
        """Builds these models, or all, after all that they read."""
        wanted = set(_upstream(addresses or models().keys()))
        for address, model in models().items():
            if address in wanted - self._views:
                build(self.connection, model)
                if address == "seeds.owner_targets" and self._targets:
                    self.connection.executemany("insert into seeds.owner_targets values (?, ?, ?)", self._targets)
                if model.kind == "view":
                    self._views.add(address)

    def rows(self, address: str, *columns: str) -> list[tuple[Any, ...]]:
        """Builds a model and returns these columns of its rows, sorted."""
        self.build(address)
        return self.connection.execute(f"select {', '.join(columns)} from {address} order by all").fetchall()

    def row(self, address: str, *columns: str) -> tuple[Any, ...]:
        """The same of the one row that it has."""
        [row] = self.rows(address, *columns)
        return row


Cases = Mapping[str, Sequence[Any]]
"""Name of a case -> the columns of its row, and the values that are expected in a model."""


def assert_each(crm: RawTables, resource: str, cases: Cases, address: str, *columns: str) -> None:
    """Adds a row for each case, and compares the columns of a model that has a row for each of them."""
    for id_, (row, *_) in enumerate(cases.values()):
        crm.add(resource, id_, **row)
    assert_shown(crm, cases, address, *columns)


def assert_shown(crm: RawTables, cases: Cases, address: str, *columns: str) -> None:
    """Compares the columns of a model whose rows are those of the cases, in the order of its key."""
    key = next(iter(models()[address].columns))
    found = [values for _, *values in crm.rows(address, key, *columns)]
    assert dict(zip(cases, found, strict=True)) == {name: expected for name, (_, *expected) in cases.items()}


def _upstream(addresses: Collection[str]) -> Iterator[str]:
    for address in addresses:
        if address in models():
            yield address
            yield from _upstream(models()[address].depends_on)


def failing(crm: RawTables, address: str, test: str) -> int:
    """How many rows fail a data test of a model that was built."""
    [of_model] = [found for found in models()[address].data_tests if found.name == test]
    outcome = run_test(crm.connection, models()[address], of_model, variables_of(crm.connection))
    assert outcome.problem is None
    return outcome.failing
