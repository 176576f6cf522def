"""Which bodies with status 200 state an error, and which are whole lists."""

from typing import Any

import pytest

from crm_assets.source.http.answers import stated_error

FULL, SHORT = [{"id": 1}, {"id": 2}], [{"id": 1}]
FINE = [
    pytest.param({"tasks": SHORT}, id="a list"),
    pytest.param({"tasks": SHORT, "error": None, "errors": []}, id="no errors"),
    pytest.param({"tasks": [], "errors": {}, "error": ""}, id="an empty list without errors"),
    pytest.param({"tasks": SHORT, "errors": {"base": [], "message": ""}}, id="an object of empty lists"),
    pytest.param({"tasks": SHORT, "error": False, "success": True, "ok": True}, id="success"),
    pytest.param({"tasks": SHORT, "status": "ok", "code": 200}, id="code 200"),
    pytest.param({"tasks": SHORT, "status": 200, "code": "0"}, id="code 0"),
    pytest.param({"tasks": SHORT, "error": {"code": 0, "message": "done"}}, id="an error of code 0"),
    pytest.param({"tasks": SHORT, "error": "none"}, id="an error of none"),
    pytest.param({"tasks": SHORT, "code": True}, id="a code that is no number"),
    pytest.param({"tasks": SHORT, "code": 1000, "message": "Success"}, id="an own code of success"),
    pytest.param({"tasks": SHORT, "success": True, "status": 10000}, id="an own code beside success"),
    pytest.param({"tasks": SHORT, "error": {"code": "1000", "message": "ok"}}, id="an error of an own code of success"),
    pytest.param({"tasks": [], "error": "No errors"}, id="an error of no errors"),
    pytest.param({"tasks": SHORT, "status": "open", "message": "1 task"}, id="another status"),
    pytest.param({"tasks": SHORT, "errorType": "of the filter"}, id="a gateway's key beside a list"),
    pytest.param({"tasks": SHORT, "Error": None, "meta": {"code": 200, "errors": []}}, id="no errors in meta"),
    pytest.param({"tasks": FULL, "errors": ["partial"], "code": 500}, id="a full page"),
    pytest.param({"message": "hello"}, id="only a message"),
    pytest.param([{"error": "x"}], id="an array"),
    pytest.param(None, id="null"),
]
ERRORS = [
    pytest.param({"tasks": [], "errors": {"base": ["overloaded"]}}, 0, id="errors beside an empty list"),
    pytest.param({"tasks": SHORT, "error": "partial"}, 0, id="error beside a short list"),
    pytest.param({"tasks": None, "error": True}, 0, id="error beside null"),
    pytest.param({"error": {"code": 429, "message": "x"}}, 429, id="code within error"),
    pytest.param({"errors": [{"code": "503"}]}, 503, id="code within errors"),
    pytest.param({"status": "ERROR", "code": 429}, 429, id="status error and code"),
    pytest.param({"status": "fail"}, 0, id="status fail"),
    pytest.param({"status": 500}, 500, id="status as a number"),
    pytest.param({"statusCode": 404}, 404, id="statusCode"),
    pytest.param({"tasks": SHORT, "code": 1001}, 1001, id="code beyond those of HTTP"),
    pytest.param({"success": False}, 0, id="no success"),
    pytest.param({"tasks": [], "ok": False}, 0, id="not ok"),
    pytest.param({"tasks": SHORT, "success": 0}, 0, id="success as a number"),
    pytest.param({"tasks": SHORT, "success": "False"}, 0, id="success as a text"),
    pytest.param({"tasks": SHORT, "status": False}, 0, id="status false"),
    pytest.param({"tasks": SHORT, "code": 429, "message": "ok"}, 429, id="a code of HTTP beside a word of success"),
    pytest.param({"tasks": [], "success": True, "errors": ["timed out"]}, 0, id="errors beside success"),
    pytest.param({"errorMessage": "timed out"}, 0, id="errorMessage"),
    pytest.param({"fault": {"faultstring": "quota"}}, 0, id="fault"),
    pytest.param({"tasks": SHORT, "error_message": "timed out"}, 0, id="error_message beside a short list"),
    pytest.param({"tasks": [], "Errors": ["x"], "StatusCode": 503}, 503, id="in another spelling"),
    pytest.param({"tasks": [], "meta": {"status": "error", "code": 429}}, 429, id="within meta"),
    pytest.param({"tasks": [], "status": {"code": 503, "message": "x"}}, 503, id="code within status"),
]


@pytest.mark.parametrize("body", FINE)
def test_a_whole_list_states_no_error(body: Any) -> None:
    assert stated_error(body, "tasks", 2) is None


@pytest.mark.parametrize(("body", "code"), ERRORS)
def test_an_error_is_recognized_with_its_code(body: Any, code: int) -> None:
    assert stated_error(body, "tasks", 2) == code
