"""Permanent errors: what is shown of them. `test_fault_matrix.py` has their statuses."""

import json

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crm_assets.errors import ApiRefusal
from crm_assets.sandbox.server import serving
from crm_assets_tests.scripted_crm import ScriptedCrm, always, json_response
from crm_assets_tests.source.source_reads import read

SECRET_OF_A_BODY = "somebody@example.com"  # noqa: S105 - stands for what must not be shown


HTML = f"<html><body>{SECRET_OF_A_BODY}</body></html>"
NESTED = {"errors": {"code": 403, "message": ["No access", "Ask your admin"], "record": {"email": SECRET_OF_A_BODY}}}


BODIES = {
    "errors-code-message": (json.dumps(NESTED), "application/json", "No access; Ask your admin"),
    "errors-message": ('{"errors": {"message": ["No access"]}}', "application/json", "No access"),
    "errors-list": ('{"errors": ["No access"]}', "application/json", "No access"),
    "message": (json.dumps({"message": "No access", "contact": SECRET_OF_A_BODY}), "application/json", "No access"),
    "error": ('{"error": "No access", "record": "x"}', "application/json", "No access"),
    "errors-objects": ('{"errors": [{"message": "No access"}]}', "application/json", "No access"),
    "html": (HTML, "text/html", None),
    "text": (SECRET_OF_A_BODY, "text/plain", None),
    "array": (json.dumps([{"email": SECRET_OF_A_BODY}]), "application/json", None),
    "other-object": (json.dumps({"email": SECRET_OF_A_BODY}), "application/json", None),
    "nothing": ("", "application/json", None),
}


@pytest.mark.slow
@pytest.mark.parametrize(("content", "kind", "shown"), BODIES.values(), ids=BODIES)
def test_error_shows_only_the_message_of_its_body(crm: ScriptedCrm, content: str, kind: str, shown: str | None) -> None:
    crm.faults.append(always("open_tasks", lambda: Response(content, 403, media_type=kind)))
    with pytest.raises(ApiRefusal, match="open_tasks, page 1: status 403") as raised:
        read()
    text = str(raised.value)
    assert (shown is None) == ("'" not in text)
    assert (shown or "") in text
    assert SECRET_OF_A_BODY not in text
    assert "<html" not in text


@pytest.mark.slow
@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.parametrize(("policy", "shown"), [("keep", True), ("leave_out", False), ("hash", False)])
def test_api_message_is_shown_only_if_personal_data_are_kept(
    crm: ScriptedCrm, status: int, policy: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", policy)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", "0123456789abcdef0123456789abcdef")
    body = {"errors": {"code": 422, "message": [f"{SECRET_OF_A_BODY} has no task"]}}
    crm.faults.append(always("open_tasks", lambda: json_response(body, status)))
    with pytest.raises(ApiRefusal, match="422") as raised:
        read()
    assert (SECRET_OF_A_BODY in str(raised.value)) == shown


def test_a_page_that_a_proxy_has_changed_is_a_page(crm: ScriptedCrm) -> None:
    crm.faults.append(always("open_tasks", lambda: json_response({"tasks": [{"id": 7}]}, 203)))
    assert 7 in read().ids


@pytest.mark.parametrize("status", [202, 204, 206])
def test_other_statuses_of_success_have_no_page(crm: ScriptedCrm, status: int) -> None:
    crm.faults.append(always("open_tasks", lambda: Response("", status)))
    with pytest.raises(ApiRefusal, match=f"status {status}. An answer with this status has no whole page. Check .*URL"):
        read()


def test_a_long_message_is_cut(crm: ScriptedCrm) -> None:
    crm.faults.append(always("open_tasks", lambda: json_response({"message": "x" * 100_000}, 403)))
    with pytest.raises(ApiRefusal) as raised:
        read()
    assert 100 < len(str(raised.value)) < 1000


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_stays_here(crm: ScriptedCrm, status: int) -> None:
    visitors: list[dict[str, str]] = []

    async def elsewhere(request: Request) -> Response:
        visitors.append(dict(request.headers))
        return json_response({"tasks": []})

    with serving(Starlette(routes=[Route("/{path:path}", elsewhere)])) as other:
        crm.faults.append(always("open_tasks", lambda: Response("", status, headers={"Location": f"{other}/v1/tasks"})))
        with pytest.raises(ApiRefusal) as raised:
            read()
    text = str(raised.value)
    assert visitors == []
    assert crm.pages("open_tasks") == [1]
    for word in ("open_tasks", str(status), other.removeprefix("http://"), "SOURCES__CRM__BASE_URL"):
        assert word in text


def test_a_redirect_to_no_address_is_a_refusal_like_any_other(crm: ScriptedCrm) -> None:
    crm.faults.append(always("open_tasks", lambda: Response("", 302, headers={"Location": "http://[nowhere"})))
    with pytest.raises(ApiRefusal, match="SOURCES__CRM__BASE_URL"):
        read()
    assert crm.pages("open_tasks") == [1]
