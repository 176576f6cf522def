"""The digest: headline figures and the sales review, sent at the times in `CRM_DIGEST`."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, DefaultScheduleStatus, Definitions, ScheduleDefinition

from crm_assets.automation.check_and_digest import build_digest
from crm_assets.settings import Crm
from crm_assets.warehouse.warehouse import Warehouse
from crm_assets_tests.alerts.receivers import Webhook, webhook
from crm_assets_tests.assets.model_runs import failure
from crm_assets_tests.assets.test_reports import database, drawn
from crm_assets_tests.models.conftest import _tables, crm

__all__ = ["_tables", "crm", "database"]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        yield receiver


def sent(database: Path) -> Any:
    """A run of the job."""
    warehouse = Definitions(resources={"crm_warehouse": Warehouse(database=str(database))})
    job = Definitions.merge(build_digest(Crm()), warehouse).resolve_job_def("crm_digest")
    with DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, raise_on_error=False)


@pytest.mark.long
def test_digest_has_totals_and_the_page_as_a_file(database: Path, data_dir: Path, hook: Webhook) -> None:
    assert drawn(database).success
    assert sent(database).success
    [message] = hook.received
    assert message["type"] == "info"
    assert message["title"].startswith("crm_assets: sales review of ")
    for line in ("Are we on target? 5 was won in ", "Won in 30 days: 5\n", "Accounts: 1\n", "the bundled sandbox."):
        assert line in message["message"]
    assert "Acme" not in message["message"]
    [attached] = message["attachments"]
    page = data_dir / "reports" / "sandbox_sales_review.html"
    assert attached["filename"] == page.name
    assert base64.b64decode(attached["base64"]) == page.read_bytes()


@pytest.mark.long
def test_a_digest_that_arrives_nowhere_fails(database: Path, hook: Webhook) -> None:
    assert drawn(database).success
    hook.status = 500
    result = sent(database)
    assert failure(result) == "The digest arrived at no address in CRM_NOTIFY"


@pytest.mark.slow
def test_a_digest_without_an_address_or_a_page_says_what_to_do(database: Path, hook: Webhook) -> None:
    assert "This makes it: crm-assets run reports/sales_review" in failure(sent(database))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.delenv("CRM_NOTIFY")
        assert "CRM_NOTIFY is missing" in failure(sent(database))
    assert hook.received == []


def test_digest_is_off_by_default() -> None:
    assert not build_digest(Crm()).schedules


@pytest.mark.parametrize(
    ("setting", "cron"),
    [("weekly", "0 7 * * 1"), *[(cron, cron) for cron in ("30 6 1-7,15 */3 1", "0 7 * * MON", "0 7 5-1 * *")]],
)
@pytest.mark.usefixtures("hook")
def test_digest_is_sent_at_the_times_of_the_setting(
    setting: str, cron: str, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setenv("CRM_DIGEST", setting)
    [schedule] = build_digest(Crm()).schedules or []
    assert isinstance(schedule, ScheduleDefinition)
    assert schedule.cron_schedule == cron
    assert schedule.default_status is DefaultScheduleStatus.RUNNING
    assert messages == []


def test_setting_without_addresses_is_warned_of(monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    monkeypatch.setenv("CRM_DIGEST", "weekly")
    build_digest(Crm())
    [message] = messages
    assert "CRM_NOTIFY is missing" in message


@pytest.mark.parametrize("setting", ["daily", "7 * *", "60 7 * * 1", "0 7 * * 8", "*/0 7 * * 1", "@weekly"])
def test_wrong_times_are_refused_with_what_is_right(
    setting: str, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    monkeypatch.setenv("CRM_DIGEST", setting)
    assert not build_digest(Crm()).schedules
    [message] = messages
    assert "CRM_DIGEST" in message
    assert "give weekly, or a cron expression of five parts" in message


@pytest.mark.usefixtures("hook")
def test_day_that_never_comes_is_warned_of(monkeypatch: pytest.MonkeyPatch, messages: list[str]) -> None:
    monkeypatch.setenv("CRM_DIGEST", "0 7 30 2 *")
    assert not build_digest(Crm()).schedules
    [message] = messages
    assert "CRM_DIGEST is 0 7 30 2 *, which never comes" in message
