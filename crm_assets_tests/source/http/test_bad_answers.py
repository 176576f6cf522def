"""Answers with status 200 that are no page: one request, and an error that shows no content."""

import gzip
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from crm_assets.errors import BadAnswer
from crm_assets.source.http.exact_json import parse_json
from crm_assets_tests.scripted_crm import ScriptedCrm, tasks
from crm_assets_tests.source.source_reads import read

PERSON = "Jane Doe"
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


def serve_only(crm: ScriptedCrm, page: Response) -> None:
    """Serves this as page 1, and no record on any other page."""
    crm.faults.append(lambda seen: page if seen.page == 1 else Response(body({"tasks": []})))


@pytest.mark.parametrize("content", [b"", body({"tasks": PERSON}), body({"items": [PERSON]})])
def test_later_bad_answer_is_reported_with_its_page(crm: ScriptedCrm, content: bytes) -> None:
    crm.faults.append(lambda seen: Response(content, 200, media_type="application/json") if seen.page == 3 else None)
    with pytest.raises(BadAnswer, match=r"^open_tasks, page 3: .{20}") as raised:
        read()
    assert crm.pages("open_tasks").count(3) == 1
    assert not raised.value.may_recover
    assert PERSON not in str(raised.value)


def test_compressed_pages_are_read(crm: ScriptedCrm) -> None:
    packed = gzip.compress(body({"tasks": tasks(2), "meta": {"total": 2}}))
    serve_only(crm, Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json"))
    assert read().ids == [1, 2]
    assert "gzip" in crm.seen[0].headers["accept-encoding"]


def test_a_compression_that_was_not_asked_for_is_named(crm: ScriptedCrm) -> None:
    serve_only(crm, Response(b"\x8b\x02\x80{}", headers={"Content-Encoding": "br"}))
    with pytest.raises(BadAnswer, match=r"Content-Encoding br\) is not JSON: it is not utf-8"):
        read()


def test_page_in_the_declared_encoding_is_read(crm: ScriptedCrm) -> None:
    page = json.dumps({"tasks": [{"id": 1, "title": "Größe"}], "meta": {"total": 1}}, ensure_ascii=False)
    serve_only(crm, Response(page.encode("latin-1"), media_type="application/json; charset=iso-8859-1"))
    assert [record["title"] for record in read().records] == ["Größe"]


@pytest.mark.parametrize("charset", ["utf-8", "no-such-charset"])
def test_page_in_another_encoding_is_refused(crm: ScriptedCrm, charset: str) -> None:
    wrong = Response('{"tasks": ["Größe"]}'.encode("latin-1"), media_type=f"application/json; charset={charset}")
    crm.faults.append(lambda _: wrong)
    with pytest.raises(BadAnswer, match="the body .* is not JSON"):
        read()


def test_marks_of_json_in_texts_are_not_counted_as_values(crm: ScriptedCrm) -> None:
    titles = ['",\\' + "{[,:" * 1_500_000, "{"]
    crm.lists["open_tasks"] = [{"id": id_, "title": title} for id_, title in enumerate(titles)]
    assert [record["title"] for record in read().records] == titles


def test_the_content_type_does_not_matter(crm: ScriptedCrm) -> None:
    serve_only(crm, Response(body({"tasks": tasks(2), "meta": {"total": 2}}), media_type="text/plain"))
    assert read().ids == [1, 2]


@pytest.mark.parametrize(
    ("content", "value"),
    [
        pytest.param(rb'"\ud83d\ude00"', "\N{GRINNING FACE}", id="a pair"),
        pytest.param(rb'"a \ud83d b"', "a \ufffd b", id="half a pair"),
        pytest.param(rb'"\ude00\ud83d"', "\ufffd\ufffd", id="a pair the wrong way round"),
        pytest.param(rb'"\\ud83d \ud83d"', "\\ud83d \ufffd", id="a backslash before letters"),
        pytest.param(b'"\xed\xa0\xbd\xed\xb8\x80"', "\N{GRINNING FACE}", id="a pair encoded as two characters"),
        pytest.param(b'"\xed\xa0\xbd"', "\ufffd", id="half a pair encoded as a character"),
        pytest.param(b"[NaN, -Infinity]", ["NaN", "-Infinity"], id="no numbers"),
        pytest.param(b"[1e400, 1e-5]", ["1e400", 1e-5], id="beyond floats"),
        pytest.param(b"0.12345678901234567890", "0.12345678901234567890", id="more digits than a float has"),
        pytest.param(b"[53111651798742655E+23, 7e2]", ["53111651798742655E+23", 700.0], id="digits and an exponent"),
        pytest.param(b"123456789012345678901234567890", 123456789012345678901234567890, id="more than 64 bits"),
        pytest.param(
            b'{"a": "12345678901234567890", "b":-12345678901234567890}',
            {"a": "12345678901234567890", "b": -12345678901234567890},
            id="many digits in a text and in a number",
        ),
        pytest.param(b'{"a":-9223372036854775809}', {"a": -9223372036854775809}, id="just below 64 bits"),
        pytest.param(b"9" * 5000, "9" * 5000, id="five thousand digits"),
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="a byte order mark"),
        *(
            pytest.param('["매듭입니다", "\\ud83d"]'.encode(encoding), ["매듭입니다", "\ufffd"], id=encoding)
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
        ),
    ],
)
def test_json_is_parsed_without_loss(content: bytes, value: Any) -> None:
    assert parse_json(content) == value


@given(st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)), st.booleans())
def test_any_json_is_read(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.long
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
@settings(max_examples=500)
def test_any_number_keeps_its_value_or_its_text(number: str) -> None:
    parsed = parse_json(number.encode())
    assert parsed == number or Decimal(repr(parsed)) == Decimal(number)


@given(st.binary() | st.text(alphabet='{}[]",:\\udD89aeE+-.0123tfn ').map(str.encode))
def test_any_bytes_are_json_or_are_not(content: bytes) -> None:
    with suppress(ValueError):
        json.dumps(parse_json(content), ensure_ascii=False).encode()


@pytest.mark.usefixtures("crm")
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_a_crm_on_this_machine_is_not_asked_through_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert len(read().records) == 130
