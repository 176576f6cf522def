"""Whatever records come, in whatever parts and whatever is declared of them: every value sent can be read back."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_assets.source import schemas
from crm_assets.source.typing import batches
from crm_assets.source.typing.columns import FURTHER, TYPES, column_names
from crm_assets_tests.assets.declaring import Declarations
from crm_assets_tests.assets.raw_runs import columns, materialize, rows
from crm_assets_tests.data_dirs import use_data_dir
from crm_assets_tests.scripted_crm import configured_crm

pytestmark = pytest.mark.long

characters = st.characters(codec="utf-8")
odd_texts = st.sampled_from(
    [
        *("007", "+7", "7", "-0", "0.50", "1e3", "true", "yes", "NaN", "null", "", "[1]", '{"a":1}', "soon"),
        *("2024-01-05", "2024-01-05T10:00:00Z", "2024-01-05T10:00:00+05:30", "0001-01-01T00:00:00+05:30"),
        *("NULL", "nul \x00 character", "  two\nlines\tand 'quotes' \"of\" \\ both; kinds  ", "x" * 20_000),
    ]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, -(2**63)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | odd_texts
    | st.text(characters, max_size=8)
    | st.datetimes(timezones=st.just(timezone.utc)).map(datetime.isoformat)
    | st.dates().map(date.isoformat)
    | st.decimals(allow_nan=False, allow_infinity=False).map(str)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters, max_size=4), inner, max_size=2),
    max_leaves=4,
)
declared_names = [f"declared_{data_type}" for data_type in TYPES]
plain_names = ["seat", "active", "ratio", "seen"]
keys = st.sampled_from([*declared_names, *plain_names]) | st.sampled_from(
    ["Seat", "fooBar", "foo_bar", "foo-bar", "_dlt_id", "seat__v_text", "größe", "", "select"]
)
contents = st.dictionaries(keys | st.text(characters, max_size=6), json_values, min_size=3, max_size=12)
reads_of_pages = st.lists(
    st.lists(st.lists(contents, min_size=1, max_size=3), min_size=1, max_size=3), min_size=2, max_size=3
)


@pytest.fixture(scope="module")
def declarations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Declarations]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield Declarations(tmp_path_factory.mktemp("schemas") / "schemas", monkeypatch)
    schemas.resource_schema.cache_clear()


def same(sent: Any, found: Any, type_: str) -> bool:
    """Whether a value is found in a column of this type as it was meant."""
    if type_ in {"JSON", "VARCHAR"}:
        is_text = type_ == "VARCHAR" and isinstance(sent, str)
        return bool(found == sent) if is_text else repr(json.loads(found)) == repr(sent)
    if isinstance(found, datetime):
        meant = datetime.fromisoformat(str(sent).replace("Z", "+00:00"))
        return (meant if meant.tzinfo else meant.replace(tzinfo=timezone.utc)) == found
    if isinstance(found, date):
        return bool(found.isoformat() == sent)
    if isinstance(found, bool) or isinstance(sent, bool):
        return found is sent or json.dumps(found) == sent
    if isinstance(found, Decimal):
        return Decimal(repr(sent) if isinstance(sent, float) else sent) == found
    # Python compares integers and floats exactly; a text has to be the number's own spelling.
    return bool(json.dumps(found) == sent if isinstance(sent, str) else found == sent)


@given(
    reads=reads_of_pages,
    declared=st.sets(st.sampled_from(list(TYPES))),
    batch_rows=st.sampled_from([1, 3, 5000]),
    most=st.lists(st.sampled_from([0, 2, 20, 500]), min_size=3, max_size=3),
)
@settings(max_examples=6)
def test_every_value_comes_back(
    declarations: Declarations,
    reads: list[list[list[dict[str, Any]]]],
    declared: set[str],
    batch_rows: int,
    most: list[int],
) -> None:
    declarations.declare(**{f"declared_{data_type}": data_type for data_type in declared})
    taken = schemas.resource_schema("open_tasks").columns
    sent: dict[int, dict[str, Any]] = {}
    with (
        TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as monkeypatch,
        configured_crm() as crm,
    ):
        use_data_dir(monkeypatch, Path(folder))
        monkeypatch.setattr(batches, "BATCH_ROWS", batch_rows)
        for pages, most_columns in zip(reads, most, strict=False):
            monkeypatch.setenv("SOURCES__CRM__MAX_UNDECLARED_COLUMNS", str(most_columns))
            crm.page_sizes = [len(page) for page in pages]
            crm.lists["open_tasks"] = [
                content | {"id": len(sent) + n} for n, content in enumerate(c for page in pages for c in page)
            ]
            sent |= {record["id"]: record for record in crm.lists["open_tasks"]}
            run = materialize("open_tasks")
            assert run.success, run.failure("open_tasks")
        database = Path(folder) / "crm.duckdb"
        types = columns("open_tasks", database)
        stored = dict(zip(sent, rows("from raw.open_tasks order by id", database), strict=True))
    for id_, record in sent.items():
        row = dict(zip(types, stored[id_], strict=True))
        names = column_names([key for key in record if key not in taken], taken)
        for key, value in record.items():
            name = names.get(key, key)
            found, variant = row.get(name), row.get(f"{name}__v_text")
            further = json.loads(row.get(FURTHER) or "{}")
            if value is None:
                assert (found, variant) == (None, None), (key, types.get(name))
            elif name in further:
                assert (found, variant) == (None, None)
                assert same(value, json.dumps(further[name]), "JSON"), (key, value, further[name])
            elif variant is not None:
                assert found is None
                assert same(value, variant, "VARCHAR"), (key, value, variant)
            else:
                assert found is not None, (key, value, types.get(name))
                assert same(value, found, types[name]), (key, value, found)
