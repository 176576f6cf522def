"""If the CRM refuses a list, only the models that depend on it are not built."""

import pytest
from dagster import DagsterInstance

from crm_assets.definitions import defs
from crm_assets_tests.assets.raw_runs import rows
from crm_assets_tests.scripted_crm import always, configured_crm, json_response

pytestmark = pytest.mark.long


def test_marts_with_names_are_built_despite_a_refused_list() -> None:
    lists = {"won_deals": [{"id": 1, "amount": 5, "closed_date": "2026-01-31", "owner_id": 1}]}
    with (
        configured_crm(lists=lists, side_loaded={"users": [{"id": 1, "display_name": "Somebody"}]}) as crm,
        DagsterInstance.ephemeral() as instance,
    ):
        crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))
        result = defs.resolve_job_def("crm_full_refresh").execute_in_process(instance=instance, raise_on_error=False)

    built = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events() if event.asset_key}
    assert "marts/won_revenue_monthly" in built
    assert "marts/task_backlog" not in built
    assert rows("select owner_name from marts.won_revenue_monthly") == [("Somebody",)]
