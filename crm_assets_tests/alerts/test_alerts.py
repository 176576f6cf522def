"""Alerts: one per incident, with what to do, sent to the configured addresses, and never failing a run."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from starlette.responses import Response

from crm_assets.alerts.hooks import asset_of
from crm_assets.alerts.messages import Message
from crm_assets.alerts.sending import send
from crm_assets_tests.alerts.receivers import Webhook, mailbox, webhook
from crm_assets_tests.assets.raw_runs import configured_crm, materialize, tasks
from crm_assets_tests.scripted_crm import ScriptedCrm, always, json_response

TASK = {"id": 1, "title": "Call"}


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook that alerts go to."""
    with webhook() as receiver:
        monkeypatch.setenv("CRM_NOTIFY", receiver.address)
        yield receiver


@pytest.fixture
def crm() -> Iterator[ScriptedCrm]:
    """A CRM with one task."""
    with configured_crm(lists={"open_tasks": [TASK]}) as scripted:
        yield scripted


def refuse(crm: ScriptedCrm) -> None:
    crm.faults.append(always("open_tasks", lambda: json_response({"message": "Not yours"}, 403)))


def test_a_failure_is_reported_once_and_its_recovery_once(hook: Webhook, crm: ScriptedCrm) -> None:
    refuse(crm)
    assert not materialize("open_tasks").success
    assert not materialize("open_tasks").success
    assert hook.titles == ["crm_assets: problem: asset raw/open_tasks"]

    crm.faults.clear()
    assert materialize("open_tasks").success
    assert materialize("open_tasks").success
    assert hook.titles[1:] == ["crm_assets: recovered: asset raw/open_tasks"]


def test_open_incidents_can_be_read_by_their_owner_only(crm: ScriptedCrm, data_dir: Path) -> None:
    refuse(crm)
    assert not materialize("open_tasks").success

    assert (data_dir / "alerts.json").stat().st_mode & 0o077 == 0


def test_an_alert_says_what_happened_what_it_means_and_where_to_look(
    hook: Webhook, crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_UI_URL", "https://dagster.example.com/")
    refuse(crm)
    run = materialize("open_tasks")

    [alert] = hook.received
    assert alert["type"] == "failure"
    for part in (
        "raw/open_tasks failed: ",
        "403",
        "Not yours",
        "its table keeps the rows of the last successful run",
        f"https://dagster.example.com/runs/{run.result.run_id}",
    ):
        assert part in alert["message"]


def test_a_failed_check_is_reported_once_and_its_recovery_once(hook: Webhook, crm: ScriptedCrm) -> None:
    crm.lists["open_tasks"] = [TASK, {"title": "without id"}]
    assert materialize("open_tasks").success
    assert materialize("open_tasks").success
    [told] = hook.received
    assert "check raw/open_tasks:" in told["title"]

    crm.lists["open_tasks"] = [TASK]
    assert materialize("open_tasks").success
    assert hook.titles[1:] == [told["title"].replace("problem", "recovered")]


@pytest.mark.usefixtures("crm")
def test_a_first_run_in_which_all_is_well_tells_nothing(hook: Webhook, data_dir: Path) -> None:
    assert materialize("open_tasks").success

    assert hook.received == []
    assert not (data_dir / "alerts.json").exists()


def test_an_alert_that_did_not_arrive_is_sent_with_the_next_run(
    hook: Webhook, crm: ScriptedCrm, told: list[str]
) -> None:
    refuse(crm)
    hook.status = 500
    assert not materialize("open_tasks").success
    assert "An alert did not arrive at the address of kind 'json'" in " ".join(told)

    hook.status = 200
    assert not materialize("open_tasks").success
    assert hook.titles == ["crm_assets: problem: asset raw/open_tasks"]


def test_all_addresses_get_the_alert_even_if_one_fails(
    crm: ScriptedCrm, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], told: list[str]
) -> None:
    with webhook() as first, mailbox() as mails, webhook() as broken:
        broken.status = 500
        addresses = f"{broken.address}, nonsense://secret-of-nobody {mails.address},{first.address}"
        monkeypatch.setenv("CRM_NOTIFY", addresses)
        refuse(crm)
        run = materialize("open_tasks")

    assert first.titles == ["crm_assets: problem: asset raw/open_tasks"]
    [mail] = mails.mails
    assert mail["Subject"] == "crm_assets: problem: asset raw/open_tasks"
    assert "Not yours" in str(mail)
    said = " ".join([*told, *capfd.readouterr(), run.everything_told])
    assert "of kind 'nonsense' that Apprise does not support" in said
    assert "secret-of" not in said


@pytest.mark.parametrize("wanted", ["", "&format=html", "&format=markdown", "&format=text"])
def test_markup_in_an_alert_stays_text(wanted: str) -> None:
    text = '<a href="https://evil.example">Log in</a> <img src=x> [here](https://evil.example) **&amp;**\n<b>next</b>'
    with mailbox() as mails:
        assert send(Message("<i>Title</i>", text, is_recovery=False), mails.address + wanted, print)
    [mail] = mails.mails
    parts = {part.get_content_subtype(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    shown = Shown()
    shown.feed(parts.get("html", ""))
    assert shown.tags <= {"html", "head", "body", "br", "p", "div"}
    assert mail["Subject"] == "<i>Title</i>"
    for content in [part for kind, part in parts.items() if kind == "plain"] + [shown.text] * ("html" in parts):
        assert text.split() == content.replace("\xa0", " ").split()


class Shown(HTMLParser):
    """What a mail program shows of HTML."""

    def __init__(self) -> None:
        """Has read nothing yet."""
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the tag. A line break separates words."""
        del attrs
        self.tags.add(tag)
        self.text += " " * (tag == "br")

    def handle_data(self, data: str) -> None:
        """Notes the text."""
        self.text += data


def test_without_addresses_alerts_go_to_the_log(crm: ScriptedCrm, told: list[str]) -> None:
    refuse(crm)
    assert not materialize("open_tasks").success

    assert "crm_assets: problem: asset raw/open_tasks" in " ".join(told)


@pytest.mark.usefixtures("crm")
def test_a_wrong_setting_is_reported_too(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCES__CRM__PER_PAGE", "many")
    assert not materialize("open_tasks").success

    [alert] = hook.received
    assert "SOURCES__CRM__PER_PAGE" in alert["message"]


def test_a_failure_that_a_retry_mends_is_not_reported(hook: Webhook, crm: ScriptedCrm) -> None:
    crm.lists["open_tasks"] = tasks(3)
    crm.faults.append(lambda _: Response("", 500) if len(crm.seen) <= 5 else None)
    assert materialize("open_tasks").success

    assert hook.received == []


def test_a_damaged_file_of_incidents_fails_nothing(hook: Webhook, crm: ScriptedCrm, data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "alerts.json").write_text("[not what it was", encoding="utf-8")
    refuse(crm)
    assert not materialize("open_tasks").success

    assert hook.titles == ["crm_assets: problem: asset raw/open_tasks"]


@pytest.mark.parametrize(
    ("step", "asset"),
    [
        ("raw__accounts", "raw/accounts"),
        ("marts__sales__by_month", "marts/sales__by_month"),
        ("north__raw__accounts", "north/raw/accounts"),
        ("north_east__marts__sales__by_month", "north_east/marts/sales__by_month"),
    ],
)
def test_an_alert_names_the_asset_of_a_step(step: str, asset: str) -> None:
    assert asset_of(step) == asset
