"""Records and values out of the ordinary: what cannot be loaded is rejected with a reason, everything else is kept."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.source.http.exact_json import parse_json
from crm_assets.source.schemas import resource_schema
from crm_assets_tests.assets.raw_runs import Run, materialize
from crm_assets_tests.data_dirs import connected, use_data_dir
from crm_assets_tests.scripted_crm import configured_crm


def body(content: bytes) -> Response:
    """A page with status 200 that holds just this."""
    return Response(content, media_type="application/json")


SET_ASIDE: dict[str, tuple[Any, str]] = {
    "a text in place of a record": ("just text", "not an object but a string"),
    "a number in place of a record": (5, "not an object but a number"),
    "null in place of a record": (None, "not an object but null"),
    "an array in place of a record": ([1, 2], "not an object but an array"),
    "no id": ({"name": "without an id"}, "no id"),
    "an id that is null": ({"id": None, "name": "null"}, "no id"),
    "an id with leading zeros": ({"id": "007"}, "not a 64-bit integer but a string"),
    "an id of minus zero": ({"id": "-0"}, "not a 64-bit integer but a string"),
    "an id with a plus sign": ({"id": "+7"}, "not a 64-bit integer but a string"),
    "an id with an underscore": ({"id": "7_0"}, "not a 64-bit integer but a string"),
    "an id with a space": ({"id": " 7"}, "not a 64-bit integer but a string"),
    "an id of a decimal in a text": ({"id": "7.0"}, "not a 64-bit integer but a string"),
    "an id of a decimal beyond 53 bits": ({"id": 2.0**53}, "not a 64-bit integer but a number"),
    "an id of letters": ({"id": "D-17"}, "not a 64-bit integer but a string"),
    "an empty id": ({"id": ""}, "not a 64-bit integer but a string"),
    "an id that is true": ({"id": True}, "not a 64-bit integer but a boolean"),
    "an id with a fraction": ({"id": 1.5}, "not a 64-bit integer but a number"),
    "an id that is an object": ({"id": {"value": 1}}, "not a 64-bit integer but an object"),
    "an id of more than 64 bits": ({"id": 2**63}, "not a 64-bit integer but a number"),
    "an id of thirty digits in a text": ({"id": "9" * 30}, "not a 64-bit integer but a string"),
    "an id of five thousand digits": (b'{"id": ' + b"9" * 5000 + b"}", "not a 64-bit integer but a string"),
}
"""Fault -> the record, and the reason that is given."""


IDS: dict[str, tuple[Any, int]] = {
    "digits": ("2000", 2000),
    "the largest": (2**63 - 1, 2**63 - 1),
    "beyond 2 to the 53": (1450348061427834881, 1450348061427834881),
    "a decimal point": (2001.0, 2001),
    "negative": (-3, -3),
}
"""Ids out of the ordinary, and as they are stored."""

KEPT: dict[str, tuple[Any, dict[str, Any]]] = {
    "a number as text": ({"amount": "7700.0", "probability": "40"}, {"amount": Decimal(7700), "probability": 40}),
    "a text as number": ({"name": 5}, {"name": "5"}),
    "a text in a number": ({"probability": "forty"}, {"probability": None, "probability__v_text": "forty"}),
    "an unknown field that is null": ({"name": "a", "nothing": None}, {"name": "a"}),
    "a text in place of an array": ({"tags": "a;b"}, {"tags": '"a;b"'}),
    "NaN": (b'{"amount": NaN}', {"amount": None, "amount__v_text": "NaN"}),
    "a number that no float holds": (b'{"amount": 1e400}', {"amount": None, "amount__v_text": "1e400"}),
    "a number with more digits than a float has": (
        b'{"amount": 12345678901234567890.125}',
        {"amount": Decimal("12345678901234567890.125")},
    ),
    "a lone surrogate": ({"name": "a \ud83d b"}, {"name": "a \ufffd b"}),
    "a line break that is not escaped": (b'{"name": "a\n\tb"}', {"name": "a\n\tb"}),
    "a NUL character": ({"name": "a\0b"}, {"name": "a\0b"}),
    "a field of ten million characters": ({"name": "x" * 10_000_000}, {"name": "x" * 10_000_000}),
    "an unknown integer of more than 64 bits": ({"long": 2**64}, {"long": str(2**64)}),
    "a long integer within an unknown object": ({"odd": {"a": 2**70}}, {"odd": f'{{"a":{2**70}}}'}),
    "names that differ only by case": (
        {"name": "a", "Name": "b", "NAME": "c"},
        {"name": "a", "name__hdcd1d522": "b", "name__heaa58932": "c"},
    ),
    "names that differ only by their spelling": (
        {"fooBar": 1, "foo_bar": 2, "foo-bar": 3},
        {"foo_bar": 2, "foo_bar__h5a906c24": 1, "foo_bar__h7d89c4f5": 3},
    ),
    "names that are SQL": ({"select": 1, "drop table x;": 2}, {"select": 1, "drop_table_xx": 2}),
    "names with quotes and spaces": ({'a"b': 1, "c'd": 2, "e f": 3}, {"a_b": 1, "c_d": 2, "e_f": 3}),
    "names of letters beyond ASCII": ({"größe": 1}, {"gr_e": 1}),
    "names of nothing": ({"": 1, " ": 2}, {"field__he3b0c442": 1, "field__h36a9e7f1": 2}),
    "names of dlt's own columns": ({"_dlt_id": "mine"}, {"id__hf4f88bc8": "mine"}),
}
"""Fault -> the record without its id, and columns of its row. `test_columns.py` has more values that do not fit."""


def as_sent(record: Any) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record).encode()


@dataclass(frozen=True)
class Loaded:
    """What a read leaves: rejected records (as text, with the reason), and rows by id."""

    run: Run
    rejected: list[tuple[str, str]]
    rows: dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The tables after one read of everything that is set aside or kept, among two usual records.

    Those with an undeclared field have a page of their own.
    """
    declared = set(resource_schema("won_deals").columns)
    pages: dict[int, list[bytes]] = {
        1: [b'{"id": 1000}', *(as_sent(record) for record, _ in SET_ASIDE.values())],
        2: [as_sent({"id": sent}) for sent, _ in IDS.values()],
    }
    for number, (record, _) in enumerate(KEPT.values()):
        sent = b'{"id": %d, ' % number + as_sent(record)[1:]
        pages[1 if declared.issuperset(parse_json(sent)) else 2].append(sent)
    pages[2].append(b'{"id": 1001}')
    total = sum(map(len, pages.values()))
    folder = tmp_path_factory.mktemp("records")
    with pytest.MonkeyPatch.context() as monkeypatch, configured_crm() as crm:
        crm.faults.append(
            lambda seen: body(b'{"deals": [%s], "meta": {"total": %d}}' % (b",".join(pages[seen.page]), total))
        )
        use_data_dir(monkeypatch, folder)
        run = materialize("won_deals")
    assert run.success, run.failure("won_deals")
    assert run.metadata("won_deals")["crm/complete"] is False
    with connected(folder / "crm.duckdb") as connection:
        rejected = connection.execute(
            "select record, reason from raw.rejected_records semi join raw.sync_log using (_dlt_load_id) where page = 1"
        ).fetchall()
        cursor = connection.execute("select * from raw.won_deals")
        names = [name for name, *_ in cursor.description or []]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Loaded(run, rejected, {row["id"]: row for row in found})


@pytest.mark.long
@pytest.mark.parametrize(("record", "reason"), SET_ASIDE.values(), ids=SET_ASIDE)
def test_records_that_cannot_be_loaded_are_rejected(record: Any, reason: str, loaded: Loaded) -> None:
    sent = json.loads(record, parse_int=str) if isinstance(record, bytes) else record
    [found] = [why for text, why in loaded.rejected if repr(json.loads(text)) == repr(sent)]  # repr tells True from 1
    assert reason in found


def test_rejected_records_are_shown_in_no_reason_and_no_event(loaded: Loaded) -> None:
    shown = loaded.run.everything_shown + " ".join(reason for _, reason in loaded.rejected)
    assert [text for text in ("just text", "without an id", "D-17", "9" * 30) if text in shown] == []


@pytest.mark.parametrize(("fault", "columns"), [(name, columns) for name, (_, columns) in KEPT.items()], ids=KEPT)
def test_unusual_values_are_kept(fault: str, columns: dict[str, Any], loaded: Loaded) -> None:
    row = loaded.rows[list(KEPT).index(fault)]
    assert {name: row[name] for name in columns} == columns


def test_usual_records_among_them_are_loaded(loaded: Loaded) -> None:
    assert loaded.rows.keys() == {*range(len(KEPT)), *(stored for _, stored in IDS.values()), 1000, 1001}
