"""Records with an undeclared field take dlt's ordinary way, all others that of Arrow tables, to the same table."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import columns, configured_crm, materialize, rows
from crm_assets_tests.source.typing.test_values import fitting_values, json_values

RESOURCE = "won_deals"
COLUMNS = resource_schema(RESOURCE).columns
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example takes seconds, and to shrink one hundreds of them."""

UNDECLARED = "a_field_that_no_schema_declares"

field_values = {
    name: fitting_values[column.data_type] | json_values | st.none()
    for name, column in COLUMNS.items()
    if name not in {"id", "updated_at"}
}
records = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(1, 9)}, optional={**field_values, "updated_at": fitting_values["timestamp"]}
    ),
    min_size=3,
    max_size=6,
    unique_by=lambda record: str(record["id"]),
)


@contextmanager
def loaded(listed: list[dict[str, Any]]) -> Iterator[Path]:
    """A database into which the records were loaded."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("CRM_DATA_DIR", folder)
        with configured_crm(lists={RESOURCE: listed}):
            assert materialize(RESOURCE).success
        yield Path(folder) / "crm.duckdb"


def table(database: Path) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Columns with their types, and the rows by id; without what dlt adds and the undeclared field."""
    kept = {
        name: type_
        for name, type_ in sorted(columns(database, RESOURCE).items())
        if not name.startswith("_dlt_") and name != UNDECLARED
    }
    listed = ", ".join(f'"{name}"' for name in kept)
    return kept, rows(database, f'select {listed} from raw."{RESOURCE}" order by id')


@settings(
    max_examples=3, phases=WITHOUT_SHRINKING, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(listed=records)
def test_both_ways_make_the_same_table(listed: list[dict[str, Any]]) -> None:
    with loaded(listed) as columnar, loaded([{**record, UNDECLARED: 1} for record in listed]) as ordinary:
        assert table(columnar) == table(ordinary)
