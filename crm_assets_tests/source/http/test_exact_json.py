"""Arrays and objects that are nested too deeply become their text, and only they."""

import json
from typing import Any

import pytest

from crm_assets.source.http.exact_json import MAX_DEPTH, parse_json

FIELDS = 3


def arrays(depth: int) -> str:
    return "[" * depth + '"]"' + "]" * depth


def objects(depth: int) -> str:
    return '{"a[":[],"b":' * depth + "0.5" + "}" * depth


def page(*fields: str) -> bytes:
    """A list whose records have one field each."""
    return f'{{"list": [{", ".join(f"""{{"field": {field}}}""" for field in fields)}]}}'.encode()


def fields_of(*fields: str) -> list[Any]:
    return [record["field"] for record in parse_json(page(*fields), whole_from=FIELDS)["list"]]


@pytest.mark.parametrize("nested", [arrays, objects])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 900, 1000, 5000, 100_000])
def test_a_field_nested_too_deeply_is_its_text(nested: Any, depth: int) -> None:
    deep = nested(depth)
    assert fields_of("[1]", deep, '"x"', deep) == [[1], deep, "x", deep]


@pytest.mark.parametrize("number", ["1", "12345678901234567890.5", "NaN"], ids=["usual", "long", "no number"])
def test_the_deepest_field_keeps_its_shape(number: str) -> None:
    room = MAX_DEPTH - FIELDS
    kept, deeper, other = fields_of(arrays(room), arrays(room + 1), number)
    assert kept == json.loads(arrays(room)) == fields_of(arrays(room))[0]
    assert deeper == arrays(room + 1) == fields_of(arrays(room + 1))[0]
    assert str(other) == number


def test_text_of_brackets_is_not_nested() -> None:
    text = '{"[\\' * 1000
    assert fields_of(json.dumps(text), "NaN") == [text, "NaN"]


def test_other_json_keeps_the_levels_that_fit() -> None:
    parsed = parse_json(arrays(1000).encode())
    for _ in range(MAX_DEPTH):
        [parsed] = parsed
    assert parsed == arrays(1000 - MAX_DEPTH)


@pytest.mark.parametrize("content", ["[" * 9999, arrays(9999)[:-1], arrays(9999) + "]", "]" + arrays(9999)])
def test_brackets_that_do_not_match_are_no_json(content: str) -> None:
    with pytest.raises(ValueError, match=r"line 1 column"):
        parse_json(content.encode())
