"""Success that brings no page of records: asked once, and explained without showing what came."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.responses import Response

from crm_assets.source.errors import BadAnswer
from crm_assets_tests.scripted_crm import ScriptedCrm
from crm_assets_tests.source.reading import configured_crm, read, tasks

PERSON = "Jane Doe"


@pytest.fixture
def crm(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCrm]:
    with configured_crm(monkeypatch, lists={"open_tasks": tasks(130)}) as crm:
        yield crm


def body(content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"<html>{PERSON}</html>".encode(), id="html"),
        pytest.param(body({"tasks": [{"id": 1, "title": PERSON}]})[:-4], id="truncated"),
        pytest.param(body({"items": [{"id": 1, "title": PERSON}]}), id="other-key"),
        pytest.param(body({"tasks": {"1": {"title": PERSON}}}), id="object-of-records"),
        pytest.param(body({"tasks": PERSON}), id="text-of-records"),
        pytest.param(body({"tasks": None}), id="null-of-records"),
        pytest.param(body(None), id="null"),
        pytest.param(body([{"id": 1, "title": PERSON}]), id="array"),
        pytest.param(body(PERSON), id="text"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe" + PERSON.encode("utf-16-le"), id="not-utf-8"),
    ],
)
def test_a_page_that_is_none_is_explained(crm: ScriptedCrm, content: bytes, page: int) -> None:
    crm.faults.append(lambda seen: Response(content, 200, media_type="application/json") if seen.page == page else None)
    with pytest.raises(BadAnswer, match=f"^open_tasks, page {page}: .{{20}}") as raised:
        read()
    told = str(raised.value)
    assert crm.pages("open_tasks").count(page) == 1
    assert not raised.value.retriable
    assert PERSON not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        pytest.param({"Content-Encoding": "gzip"}, body({"tasks": []}), id="not-compressed-at-all"),
        pytest.param({"Content-Encoding": "gzip"}, gzip.compress(body({"tasks": []}))[:-12], id="compressed-in-part"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_explained(crm: ScriptedCrm, headers: dict[str, str], content: bytes) -> None:
    crm.faults.append(lambda _: Response(content, 200, headers=headers, media_type="application/json"))
    with pytest.raises(BadAnswer, match="^open_tasks, page 1: .{20}"):
        read()


def test_compressed_pages_are_read(crm: ScriptedCrm) -> None:
    packed = gzip.compress(body({"tasks": tasks(2), "meta": {"total": 2}}))
    crm.faults.append(lambda _: Response(packed, headers={"Content-Encoding": "gzip"}, media_type="application/json"))
    assert read().ids == [1, 2]
    assert "gzip" in crm.seen[0].headers["accept-encoding"]


def test_what_the_content_type_says_does_not_matter(crm: ScriptedCrm) -> None:
    page = Response(body({"tasks": tasks(2), "meta": {"total": 2}}), media_type="text/plain")
    crm.faults.append(lambda _: page)
    assert read().ids == [1, 2]
