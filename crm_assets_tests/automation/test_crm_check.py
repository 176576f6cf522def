"""Job `crm_check` shows the findings in the UI, and fails when a list cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from crm_assets.api import ENDPOINTS
from crm_assets.definitions import defs
from crm_assets_tests.probing.checked_crm import linked
from crm_assets_tests.scripted_crm import KEY, always, configured_crm, json_response


def execute() -> ExecuteInProcessResult:
    with DagsterInstance.ephemeral() as instance:
        return defs.resolve_job_def("crm_check").execute_in_process(instance=instance, raise_on_error=False)


def failure(result: ExecuteInProcessResult) -> Any:
    [event] = [event for event in result.all_events if event.is_step_failure]
    return event.step_failure_data.user_failure_data


@pytest.mark.slow
def test_the_findings_are_metadata_of_the_op(data_dir: Path) -> None:
    with configured_crm(lists={resource: linked(60) for resource in ENDPOINTS}) as crm:
        result = execute()
        assert len(crm.seen) == 2 * len(ENDPOINTS)
    assert result.success
    [output] = [event for event in result.all_events if event.is_successful_output]
    metadata: Any = output.step_output_data.metadata
    assert [(record.data["list"], record.data["can be read"]) for record in metadata["lists"].records] == [
        (resource, True) for resource in ENDPOINTS
    ]
    assert metadata["findings"].data["full"]["requests"] == 2 * len(ENDPOINTS)
    assert KEY not in repr(result.all_events)
    assert not data_dir.exists()


def test_unreadable_list_fails_the_job_with_findings() -> None:
    with configured_crm(lists={resource: linked(60) for resource in ENDPOINTS}) as crm:
        crm.faults.append(always("contacts", lambda: json_response({"message": "Not for you"}, 403)))
        result = execute()
        assert crm.pages("contacts") == [1]
    assert not result.success
    failed = failure(result)
    assert failed.description.startswith("contacts: page 1: status 403, 'Not for you'")
    assert len(failed.metadata["lists"].records) == len(ENDPOINTS)


def test_a_wrong_setting_fails_the_job_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "0")
    assert "SOURCES__CRM__PER_PAGE" in failure(execute()).description
