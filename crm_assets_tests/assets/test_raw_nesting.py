"""Values that are nested very deeply are loaded, as their text, and nothing else is lost with them."""

import pytest
from starlette.responses import Response

from crm_assets.errors import ApiError
from crm_assets_tests.assets.raw_runs import build_models, materialize, rows
from crm_assets_tests.scripted_crm import configured_crm, tasks
from crm_assets_tests.source.source_reads import read

pytestmark = pytest.mark.slow

DEPTHS = (100, 500, 900, 1000, 5000, 100_000)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def as_json(depth: int) -> str:
    """What a column or record of JSON has."""
    return nested(depth) if depth == DEPTHS[0] else f'"{nested(depth)}"'


def answer(content: str, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


RECORD = '{{"id": {0}, "first_name": {1}, "tags": {1}, "cf_new": {1}}}'
RECORDS = ['{"id": 1, "cf_new": {}}', *(RECORD.format(depth, nested(depth)) for depth in DEPTHS)]
WITHOUT_ID = [f'{{"last_name": {nested(depth)}}}' for depth in DEPTHS] + [nested(250)]
USERS = [f'{{"id": {depth}, "name": {nested(depth)}}}' for depth in DEPTHS]
META = f'{{"total": {len(RECORDS) + len(WITHOUT_ID)}, "took": {nested(DEPTHS[-1])}}}'


def test_all_records_around_deep_ones_are_stored() -> None:
    page = f'{{"users": [{", ".join(USERS)}], "contacts": [{", ".join(RECORDS + WITHOUT_ID)}], "meta": {META}}}'
    with configured_crm() as crm:
        crm.faults.append(lambda seen: answer(page if seen.page == 1 else '{"contacts": []}'))
        run = materialize("contacts")

    assert run.success, run.failure("contacts")
    assert run.metadata("contacts")["crm/rows_in_source"] == len(RECORDS + WITHOUT_ID)
    stored = "select first_name, tags::varchar, cf_new::varchar from raw.contacts order by id"
    assert rows(stored) == [
        (None, None, "{}"),
        *((nested(depth), as_json(depth), nested(depth)) for depth in DEPTHS),
    ]
    assert rows("select record::varchar from raw.side_loaded order by id") == [
        (f'{{"id":{depth},"name":{as_json(depth)}}}',) for depth in DEPTHS
    ]
    assert set(rows("select record::varchar from raw.rejected_records")) == {
        (nested(250),),
        *((f'{{"last_name":{as_json(depth)}}}',) for depth in DEPTHS),
    }
    build_models()
    assert rows("select count(*) from staging.stg_contacts") == [(len(RECORDS),)]


@pytest.mark.parametrize("policy", ["leave_out", "hash"])
def test_deep_values_are_left_out_with_personal_data(monkeypatch: pytest.MonkeyPatch, policy: str) -> None:
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA", policy)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_KEY", "a key of 8 " * 4)
    monkeypatch.setenv("SOURCES__CRM__PERSONAL_DATA_ALLOWED", '["cf_new"]')
    marked = [nested(depth).replace("[]", '[{"email": "Marked"}, "Name"]') for depth in DEPTHS]
    records = [f'{{"id": {number}, "tags": {deep}, "cf_new": {deep}}}' for number, deep in enumerate(marked)]
    records += [nested(250), nested(5000)]
    users = [f'{{"id": {number}, "display_name": {deep}, "role": {deep}}}' for number, deep in enumerate(marked)]
    page = f'{{"users": [{", ".join(users)}], "contacts": [{", ".join(records)}]}}'
    with configured_crm() as crm:
        crm.faults.append(lambda seen: answer(page if seen.page == 1 else '{"contacts": []}'))
        assert materialize("contacts").success

    stored = str(rows("from raw.contacts")) + str(rows("from raw.side_loaded"))
    assert "Marked" not in stored
    assert rows("select count(*) from raw.contacts") == [(len(DEPTHS),)]


@pytest.mark.parametrize("depth", DEPTHS)
def test_deep_error_shows_its_message(depth: int) -> None:
    error = f'{{"message": "No such filter", "errors": [{{"at": {nested(depth)}}}]}}'
    with configured_crm(lists={"open_tasks": tasks(60)}) as crm:
        crm.faults.append(lambda seen: answer(error, 422) if seen.page == 1 else None)
        with pytest.raises(ApiError, match=r"^open_tasks, page 1: status 422, 'No such filter'"):
            read()
        crm.faults[:] = [lambda seen: answer(error.replace("errors", "error")) if seen.page == 1 else None]
        with pytest.raises(ApiError, match=r"^open_tasks, page 1: .*'No such filter'"):
            read()
