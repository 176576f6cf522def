"""The attributes of the component, and a second instance as a second folder."""

import re
import sys
from pathlib import Path

import pytest
from dagster import Definitions, ScheduleDefinition, build_defs_for_component
from pydantic import ValidationError

from crm_assets.api import ENDPOINTS
from crm_assets.components import CrmComponent
from crm_assets_tests.clones import PROJECT, copy_of_the_project
from crm_assets_tests.processes import completed

PAGE = PROJECT / "docs" / "several_crms.md"


def keys(definitions: Definitions) -> set[str]:
    return {key.to_user_string() for key in definitions.resolve_asset_graph().get_all_asset_keys()}


def schedules(definitions: Definitions) -> dict[str, object]:
    found = definitions.schedules or []
    return {each.name: each.cron_schedule for each in found if isinstance(each, ScheduleDefinition)}


def test_models_that_need_other_resources_are_left_out() -> None:
    some = build_defs_for_component(CrmComponent(resources=["accounts", "contacts"]))
    found = keys(some)
    assert {key for key in found if key.startswith("raw/")} == {"raw/accounts", "raw/contacts"}
    assert {"staging/stg_accounts", "staging/stg_contacts", "published/database"} <= found
    assert not {"staging/stg_won_deals", "marts/task_backlog", "reports/sales_review"} & found
    some.get_repository_def()


def test_cadence_is_that_of_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__ENDPOINTS__CONTACTS__CADENCE_MINUTES", "30")
    found = schedules(build_defs_for_component(CrmComponent(cadence_minutes={"accounts": 15, "won_deals": 240})))
    assert found["accounts_schedule"] == "0,15,30,45 * * * *"
    assert found["won_deals_schedule"] == "24 */4 * * *"
    assert found["contacts_schedule"] == "12,42 * * * *"


def test_start_minute_moves_all_schedules() -> None:
    found = schedules(build_defs_for_component(CrmComponent(start_minute=5)))
    assert found["accounts_schedule"] == "5 * * * *"
    assert found["crm_full_refresh_schedule"] == "35 2 * * *"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"name": "raw"}, "'raw' cannot be the name of a CRM"),
        ({"resources": ["leads"]}, "unknown resources: leads"),
        ({"resources": []}, "at least 1 item"),
        ({"cadence_minutes": {"leads": 15}}, "unknown resources: leads"),
        ({"cadence_minutes": {"accounts": 7}}, "must divide an hour"),
        ({"start_minute": 60}, "less than or equal to 59"),
    ],
)
def test_wrong_attribute_is_refused(attributes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CrmComponent.model_validate(attributes)


def test_default_resources_are_all() -> None:
    assert tuple(CrmComponent().resources) == tuple(ENDPOINTS)


@pytest.mark.slow
def test_second_crm_is_one_file(tmp_path: Path) -> None:
    """As the page about several CRMs says, in a copy of the project."""
    [path] = re.findall(r"`(crm_assets/defs/north/defs.yaml)`", PAGE.read_text("utf-8"))[:1]
    instance, *_ = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    copy = copy_of_the_project(tmp_path / "copy")
    (copy / path).parent.mkdir()
    (copy / path).write_text(instance, encoding="utf-8")
    code = "from crm_assets.definitions import defs; print(*defs.resolve_asset_graph().get_all_asset_keys(), sep='\\n')"
    done = completed([sys.executable, "-c", code], cwd=copy, env={"PYTHONPATH": str(copy)})
    assert done.returncode == 0, done.stderr
    found = done.stdout.splitlines()
    assert len([line for line in found if "'north'" in line]) * 2 == len(found)
    assert done.stderr == ""
