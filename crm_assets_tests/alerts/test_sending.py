"""Messages arrive at all addresses, as plain text."""

from html.parser import HTMLParser

import pytest

from crm_assets.alerts.outcomes import Kind, Outcome, Problem
from crm_assets.alerts.reporting import Incidents
from crm_assets.alerts.sending import Message, send
from crm_assets_tests.alerts.receivers import mailbox, webhook


def test_all_addresses_get_a_message_even_if_one_fails(capfd: pytest.CaptureFixture[str]) -> None:
    logged: list[str] = []
    with webhook() as first, mailbox() as mails, webhook() as broken:
        broken.status = 500
        addresses = f"{broken.address}, nonsense://secret-of-nobody {mails.address},{first.address}"
        assert send(Message("warning", "Title", "Text"), addresses, logged.append)
    assert first.titles == ["Title"]
    [mail] = mails.mails
    assert mail["Subject"] == "Title"
    said = " ".join([*logged, *capfd.readouterr()])
    assert "of kind 'nonsense' that Apprise does not support" in said
    assert "A message did not arrive at the address of kind 'json'" in said
    assert "secret-of" not in said


def test_long_message_arrives_in_parts_where_a_service_takes_only_short_ones() -> None:
    lines = [f"raw/accounts: finding {number} of a check" for number in range(500)]
    with webhook() as hook:
        address = hook.address.replace("json://", "mmost://").replace("secret-of-the-webhook", "a" * 26)
        assert send(Message("warning", "Title", "\n".join(lines)), address, print)
    parts = [sent["text"] for sent in hook.received]
    assert max(map(len, parts)) <= 4000
    assert "".join("".join(parts).split()).count("ofacheck") == 500


@pytest.mark.parametrize("wanted", ["", "&format=html", "&format=markdown", "&format=text"])
def test_markup_in_an_alert_stays_text(wanted: str) -> None:
    text = '<a href="https://evil.example">Log in</a> <img src=x> [here](https://evil.example) **&amp;**\n<b>next</b>'
    with mailbox() as mails:
        assert send(Message("failure", "<i>Title</i>", text), mails.address + wanted, print)
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


def test_message_is_logged_without_addresses() -> None:
    logged: list[str] = []
    assert send(Message("success", "Title", "Text"), " ", logged.append)
    assert logged == ["Title\nText"]


@pytest.mark.parametrize(
    ("subjects", "commands"),
    [
        (["raw/accounts", "job x"], "`crm-assets check` shows"),
        (["north/raw/accounts:age"], "`crm-assets check --crm north` shows"),
        (["job north_crm_check"], "`crm-assets check --crm north` shows"),
        (["job crm_check"], "`crm-assets check` shows"),
        (["Finance/2026/costs", "marts/own/costs"], "`crm-assets check` shows"),
        (["raw/accounts", "north/raw/accounts"], "`crm-assets check` and `crm-assets check --crm north` shows"),
    ],
    ids=["without-name", "with-name", "job-with-name", "job-without-name", "of-no-crm", "both"],
)
def test_alert_names_the_check_of_its_crm(subjects: list[str], commands: str) -> None:
    incidents, sent = Incidents(), list[Message]()
    incidents.settle(Outcome([Problem(Kind.step, subject, "the same", "text", "") for subject in subjects], ()))
    incidents.report(lambda message: not sent.append(message))  # type: ignore[func-returns-value]
    assert commands in sent[0].body


def test_alert_about_hundreds_of_tables_describes_the_first() -> None:
    incidents, sent = Incidents(), list[Message]()
    found = [Problem(Kind.check, f"marts/m{n}:unique", "run", f"marts/m{n}: found", f"/marts/m{n}") for n in range(300)]
    incidents.settle(Outcome(found, ()))
    incidents.report(lambda message: not sent.append(message))  # type: ignore[func-returns-value]
    [message] = sent
    assert message.title.endswith("marts/m0, marts/m1, marts/m2 and 297 more")
    assert message.body.count("found") == 10
