"""Singular tests: a SELECT in a file that returns wrong rows. Each belongs to a model that it reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from crm_assets.errors import ModelsRefused
from crm_assets.runner.data_tests import DataTest
from crm_assets.runner.dbt_features import jinja
from crm_assets.runner.model import Model, tables_read


def read_singular_tests(
    folder: Path, entries: Mapping[str, tuple[Path, Mapping[str, Any]]], models: Sequence[Model]
) -> Mapping[str, Sequence[DataTest]]:
    """Address of a model -> its singular tests. One that reads several belongs to the last of them.

    Raises:
        ModelsRefused: A test is not a SELECT, or reads no model.
    """
    tests: dict[str, list[DataTest]] = {}
    known = {model.address: model for model in models}
    for path in sorted(folder.glob("*.sql")):
        reads = _reads(path)
        own = [address for address in reads if address in known]
        if not own:
            raise ModelsRefused(f"{path}:1: the test reads no model: write from schema.table")
        owner = max(own, key=lambda address: list(known).index(address))
        entry = entries.get(path.stem, (None, {}))[1]
        config = entry.get("config") or {}
        tests.setdefault(owner, []).append(
            DataTest(
                "singular",
                arguments={"sql": path.read_text(encoding="utf-8").rstrip().rstrip(";")},
                severity=str(config.get("severity", "error")),
                given_name=path.stem,
                told=str(entry.get("description") or ""),
                reads=reads - {owner},
            )
        )
    return tests


def _reads(path: Path) -> frozenset[str]:
    sql = path.read_text(encoding="utf-8")
    if template := jinja(sql):
        raise ModelsRefused(f"{path}:{template[0]}: {template[1]}")
    try:
        query = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        raise ModelsRefused(f"{path}: this is not valid DuckDB SQL: {error}") from None
    if not isinstance(query, exp.Query):
        raise ModelsRefused(f"{path}:1: the file has no SELECT: write one that returns the wrong rows")
    return tables_read(query)
