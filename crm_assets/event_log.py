"""Dagster's event log in SQLite files, of which two stay open. `dagster.yaml` names it.

Dagster opens a file for each event: it makes an SQLAlchemy engine, which compiles each statement again, and SQLite
reads the schema, and copies its write-ahead log into the file when it is closed. That is a fifth of a run's CPU time.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, EventLogEntry
from dagster._core.storage.event_log import SqliteEventLogStorage

INDEX = "index"
"""The name of the file with events of all runs. Each run has one of its own."""

Connection = Any
"""SQLAlchemy's, which is a dependency of Dagster only."""


class EventLog(SqliteEventLogStorage):
    """Keeps two files open: that of all runs, and that of the run used last. Both are where Dagster has them."""

    def __init__(self, inst_data: Any = None) -> None:
        """Opens nothing yet: only the instance knows its folder, which is a temporary one without `DAGSTER_HOME`."""
        self._inst_data = inst_data
        self._opened: dict[str, Connection] = {}
        self._tables: set[str] = set()
        self._lock = threading.Lock()

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """It needs no configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "EventLog":
        """The event log of an instance."""
        return cls(inst_data, **config_value)

    def register_instance(self, instance: DagsterInstance) -> None:
        """Creates the file of all runs, unless it is there."""
        super().__init__(str(Path(instance.root_directory, "history", "runs")), self._inst_data)
        super().register_instance(instance)

    def store_event(self, event: EventLogEntry) -> None:
        """Stores an event. The UI watches the run's file, which SQLite does not change with each event."""
        super().store_event(event)
        os.utime(self.path_for_shard(event.run_id))

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A connection to the file of all runs, in a transaction."""
        return self._kept(INDEX, super().index_connection)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """A connection to the file of a run, in a transaction."""
        created = super().run_connection
        return self._kept(str(run_id), lambda: created(run_id))

    def has_table(self, table_name: str) -> bool:
        """Whether the file of all runs has a table. Dagster asks for each result of a check; a table stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def dispose(self) -> None:
        """Closes the files."""
        super().dispose()
        with self._lock:
            self._close()

    @contextmanager
    def _kept(self, name: str, created: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        """A connection that stays open. `created`: Dagster's own, which creates the file if it is not there."""
        with self._lock:
            if name not in self._opened:
                self._close(*{INDEX} - {name})
                with created() as own:
                    self._opened[name] = own.engine.connect()
            with self._opened[name].begin():
                yield self._opened[name]

    def _close(self, *others: str) -> None:
        """Closes the files but others."""
        for name in self._opened.keys() - others:
            self._opened.pop(name).close()
