"""Which models are left alone: those whose inputs, SQL, tests and documentation are as at their last build."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import duckdb

from crm_assets.runner.lineage import is_stable
from crm_assets.runner.model import BOOKKEEPING, SIDE_LOADED, Model
from crm_assets.runner.templates import statements
from crm_assets.warehouse.lake.commit import is_shared
from crm_assets.warehouse.tables import PRESENT, RAW, existing_tables, kind_of_catalog, literal


def report_in(
    connection: duckdb.DuckDBPyConnection, timezone: str, fiscal_year_start: int = 1, now: datetime | None = None
) -> None:
    """Sets the session's reporting time zone, an IANA name, and the month in which its fiscal years begin.

    `now`: the time for all models that are built in the session; without it, each has that of the clock.
    """
    connection.execute(f"set variable reporting_timezone = {literal(timezone)}")
    connection.execute(f"set variable fiscal_year_start = {fiscal_year_start:d}")
    connection.execute(f"set variable now = {literal(now.isoformat())}::timestamptz" if now else "reset variable now")


def stop_clock(connection: duckdb.DuckDBPyConnection) -> None:
    """Lets the functions of the clock return the session's time, if it has one.

    Models of one run have the same, also at midnight, since temporary macros come before DuckDB's own functions.
    """
    [[has_time]] = connection.execute("select getvariable('now') is not null").fetchall()
    if has_time:
        connection.execute(statements()["stop_clock"]())


def variables_of(connection: duckdb.DuckDBPyConnection) -> Mapping[str, Any]:
    """The session's variables, for `var`; UTC and January if it has none.

    Views are read in other sessions, with other time zones. So the values become part of the statement.
    """
    [[timezone, month]] = connection.execute(
        "select coalesce(getvariable('reporting_timezone'), 'UTC'), coalesce(getvariable('fiscal_year_start'), 1)"
    ).fetchall()
    return {"reporting_timezone": timezone, "fiscal_year_start": month}


TABLE = "raw.model_builds"

LAST_LOAD = "select max(_dlt_load_id) from raw.sync_log"

TODAY = "select cast(coalesce(getvariable('now'), now()) at time zone ? as date)::varchar"

SNAPSHOT = "select id from ducklake_current_snapshot(current_database())"


@dataclass(frozen=True)
class BuildState:
    """What a database tells about its tables and their builds, at one moment.

    Attributes:
        tables: Address -> table or view, of all that there are.
        versions: Table -> version of its rows, None if it is not known: of a model, that of its last build.
        variables: The variables of the session.
        today: The date in the reporting time zone.
        snapshot: The number of the lake's snapshot; None if it is no lake.
        columns: Schema -> table -> column -> type, if they were read.
    """

    tables: Mapping[str, str]
    versions: Mapping[str, str | None]
    variables: Mapping[str, Any]
    today: str
    snapshot: int | None = None
    columns: Mapping[str, Mapping[str, Mapping[str, str]]] | None = None

    @classmethod
    def of(
        cls, connection: duckdb.DuckDBPyConnection, reads: Collection[str], known: "BuildState | None" = None
    ) -> "BuildState":
        """The state of a database.

        Args:
            connection: The warehouse.
            reads: Side-loaded records are read only if they are among these tables.
            known: An earlier state, of which tables and versions are taken if nobody has written since. A lake's
                snapshot shows that. Of a file, the caller knows it: nobody else writes while it is open.
        """
        kind, snapshot = kind_of_catalog(connection), None
        if kind == "ducklake":
            [[snapshot]] = connection.execute(SNAPSHOT).fetchall()
        if known and kind in {"ducklake", "duckdb"} and snapshot == known.snapshot:
            tables, versions, columns = known.tables, dict(known.versions), known.columns
        else:
            tables, columns = existing_tables(connection), None
            versions = _versions(connection, tables)
        if SIDE_LOADED in tables and SIDE_LOADED in reads and SIDE_LOADED not in versions:
            [[versions[SIDE_LOADED]]] = connection.execute(statements()["side_loaded_version"]()).fetchall()
        variables = variables_of(connection)
        [[today]] = connection.execute(TODAY, [variables["reporting_timezone"]]).fetchall()
        return cls(tables, versions, variables, today, snapshot, columns)

    def after(self, model: Model, version: str, columns: Mapping[str, str]) -> "BuildState":
        """The state after a build of a model, if nobody else has written: a commit makes the lake's next snapshot."""
        schema, _, table = model.address.partition(".")
        known = self.columns and {**self.columns, schema: {**self.columns.get(schema, {}), table: columns}}
        return replace(
            self,
            tables={**self.tables, TABLE: "table", model.address: model.kind},
            versions={**self.versions, model.address: version},
            snapshot=None if self.snapshot is None else self.snapshot + 1,
            columns=known,
        )


def _versions(connection: duckdb.DuckDBPyConnection, tables: Collection[str]) -> dict[str, str | None]:
    versions: dict[str, str | None] = {}
    if TABLE in tables:
        versions |= connection.execute(statements()["built_versions"]()).fetchall()
    if {"raw.sync_changes", "raw.sync_log"} <= set(tables):
        [[last_load]] = connection.execute(LAST_LOAD).fetchall()
        versions |= dict.fromkeys(BOOKKEEPING - {SIDE_LOADED}, str(last_load))
        for resource, version in connection.execute(statements()["loaded_versions"]()).fetchall():
            versions |= {f"{RAW}.{resource}": version, f"{PRESENT}.{resource}": version}
    return versions


def is_current(state: BuildState, model: Model) -> bool:
    """Whether a build would make the table or view that is there.

    It would not if it depends on the day (`depends_on_today`) and was built on another one, in the reporting time zone.
    """
    is_there, built = state.tables.get(model.address) == model.kind, state.versions.get(model.address)
    return is_there and built is not None and built == version_of(state, model)


def version_of(state: BuildState, model: Model) -> str | None:
    """A hash of all that a build depends on; None if that is not known, so that the model is always built.

    Unknown are the versions of tables that others write and of models that were never built, and what functions of
    clocks, chance and files return, unless `depends_on_today` says whether it is the same for a day.
    """
    inputs = {address: state.versions.get(address) for address in model.reads}
    if None in inputs.values():
        return None
    scope = model.scope(state.variables)
    selects = [model.select(state.variables, keep_rows=keep) for keep in sorted({False, model.keeps_rows})]
    tests = [(test.name, dict(test.config), test.query(scope, model.this)) for test in model.data_tests]
    by_day, is_seed = model.config.get("depends_on_today"), model.materialized == "seed"
    queries = [query for _, _, query in tests] + ([] if is_seed else selects)
    if by_day is None and not all(map(is_stable, queries)):
        return None
    depends_on = {
        "inputs": inputs,
        "select": selects,
        "seed": model.path.read_text(encoding="utf-8") if is_seed else "",
        "config": dict(model.config),
        "described": [model.description, dict(model.columns)],
        "contract": model.contract,
        "tests": tests,
        "day": state.today if by_day else None,
    }
    hashed = hashlib.sha256(json.dumps(depends_on, sort_keys=True, default=str).encode()).hexdigest()
    return f"{hashed}-{shape_of(state, model)}"


def shape_of(state: BuildState, model: Model) -> str:
    """The end of its version: a hash of what a table or view has besides rows and columns."""
    select = model.select(state.variables) if model.kind == "view" else ""
    return hashlib.sha256(json.dumps([select, model.description, dict(model.columns)]).encode()).hexdigest()[:16]


def version_of_tables(connection: duckdb.DuckDBPyConnection, addresses: Iterable[str]) -> str | None:
    """A hash that changes when one of these tables is built with other content; None if one was never built."""
    wanted = sorted(addresses)
    known = BuildState.of(connection, wanted).versions
    versions = {address: known.get(address) for address in wanted}
    return None if None in versions.values() else hashlib.sha256(json.dumps(versions).encode()).hexdigest()


def record_build(
    connection: duckdb.DuckDBPyConnection, model: Model, version: str | None, *, replaces: bool = True
) -> str:
    """Records the version of a build, in its transaction. Without one, each build counts as another version.

    `replaces`: whether an earlier build may be recorded.
    """
    recorded = version or str(uuid4())
    connection.execute(statements()["create_model_builds"]())
    if replaces and not is_shared(connection, TABLE):
        connection.execute("delete from raw.model_builds where model = ?", [model.address])
    connection.execute("insert into raw.model_builds values (?, ?, now())", [model.address, recorded])
    return recorded
