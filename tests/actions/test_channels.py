"""What a channel's address may be, and what the courier does with it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from actions.escalation import dispatch
from actions.escalation.courier import Letter, Receipt
from actions.escalation.kinds import KINDS, kind_of
from awfdrs_site.kernel.problem import Problem
from tests.actions.receivers import Mailbox, Webhook, a_mailbox, a_webhook

HOOK = "a" * 8


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with a_webhook() as webhook:
        yield webhook


@pytest.fixture(autouse=True)
def busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading apprise may take long where everything else runs too."""
    monkeypatch.setattr(dispatch, "DEADLINE_SECONDS", 100)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with a_mailbox() as mailbox:
        yield mailbox


def send(url: str, *allowed: str) -> Receipt:
    return dispatch.send(Letter(url, "key-1", "High: it broke", "INC-1 broke", True, allowed))


TAKEN = {
    "mailto://anna:secret@example.com": "email",
    "mailtos://anna:secret@example.com?smtp=smtp.example.com&to=team@example.org": "email",
    "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops": "slack",
    "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ": "slack",
    "workflow://prod-1.westeurope.logic.azure.com/643e69f83c8944/sBTHhZDNKN3RJ": "teams",
    "pagerduty://0123456789abcdef@fedcba9876543210": "pagerduty",
    "opsgenie://a0b1c2d3-0123-4567-89ab-0123456789ab": "opsgenie",
    "jsons://hooks.example.com/awfdrs": "webhook",
    "json://8.8.8.8/awfdrs": "webhook",
    "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js": "discord",
    "ntfys://ntfy.example.com/awfdrs": "ntfy",
}


@pytest.mark.parametrize("url", TAKEN)
def test_it_takes_an_address_of_a_kind_it_knows(url: str) -> None:
    assert kind_of(url, ()) == TAKEN[url]
    assert TAKEN[url] in KINDS


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1/x",
        "json://localhost:9000/x",
        "json://LOCALHOST/x",
        "json://api.localhost/x",
        "json://2130706433/x",
        "json://0.0.0.0/x",
        "json://[::1]/x",
        "json://[::ffff:127.0.0.1]/x",
        "json://[64:ff9b::a9fe:a9fe]/x",
        "json://[fd00::1]/x",
        "jsons://169.254.169.254/latest/meta-data/",
        "jsons://metadata.google.internal/x",
        "jsons://metadata/x",
        "jsons://10.0.0.1/x",
        "jsons://192.168.1.1/x",
        "jsons://172.16.0.1/x",
        "jsons://100.64.0.1/x",
        "jsons://printer.lan/x",
        "mailto://anna:x@127.0.0.1?from=anna@example.com",
        "mailto://anna:x@example.com?smtp=127.0.0.1",
        "mmosts://10.0.0.1/3ccdd113474722377935511fc85d3dd4",
        "syslog://",
        "dbus://",
        "windows://",
        "xml://example.com/x",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd",
        "mailto://anna:x@example.com?pgppub=/etc/passwd",
    ],
)
def test_it_refuses_what_leads_here_or_is_not_taken(url: str) -> None:
    with pytest.raises(Problem) as refusal:
        kind_of(url, ("relay.example.com",))
    assert refusal.value.status == 400
    assert refusal.value.code == "url_not_allowed"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "mailto://",
        "mailto://anna:hunter22@127.0.0.1",
        "slack://hunter22",
        "json://127.1/hunter22",
        "json://0x7f.1/hunter22",
        "file:///etc/hunter22",
        "json://example.com/" + "hunter22" * 300,
    ],
)
def test_it_refuses_what_cannot_be_read(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """And says so without a word of it: not even the log gets to see a password.

    Red without silencing apprise, whose log repeats what it could not load.
    """
    with pytest.raises(Problem) as refusal:
        kind_of(url, ())
    assert refusal.value.code == "validation_error"
    assert "hunter22" not in caplog.text + str(refusal.value.document())


def test_a_host_on_the_list_may_be_called() -> None:
    assert kind_of("json://127.0.0.1:9000/x", ("127.0.0.1",)) == "webhook"


def test_it_posts_to_a_webhook_with_the_key(webhook: Webhook) -> None:
    assert send(webhook.url, "127.0.0.1") == Receipt(True, "")
    [call] = webhook.calls
    assert (call["key"], call["title"], call["type"]) == ("key-1", "High: it broke", "failure")
    assert "INC-1 broke" in call["message"]


def test_it_writes_a_letter_with_the_key(mailbox: Mailbox) -> None:
    url = f"mailto://127.0.0.1:{mailbox.port}?from=awfdrs@example.com&to=anna@example.com&mode=insecure"
    assert send(url, "127.0.0.1") == Receipt(True, "")
    [letter] = mailbox.letters
    assert letter["X-AWFDRS-Page"] == "key-1"
    assert "High: it broke" in letter["Subject"]
    assert "anna@example.com" in letter["To"]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_it_connects_to_nothing_of_this_machine(webhook: Webhook, name: str) -> None:
    """A name that leads here when it is called (a rebinding one too) is refused below the library.

    Red without `_let_out_only_to`: the webhook gets the call.
    """
    url = webhook.url.replace("127.0.0.1", name)
    receipt = send(url)
    assert (receipt.delivered, webhook.calls) == (False, [])
    assert "this machine or its network" in receipt.detail


def test_it_follows_no_redirect(webhook: Webhook) -> None:
    """Red with redirects on: a second call at the place it is sent to."""
    webhook.answers = ["/elsewhere", 200]
    receipt = send(webhook.url + "?redirect=yes", "127.0.0.1")
    assert (receipt.delivered, len(webhook.calls)) == (False, 1)


def test_a_receiver_that_hangs_is_left_at_the_deadline(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "DEADLINE_SECONDS", 4)
    webhook.go.clear()
    began = time.monotonic()
    assert send(webhook.url, "127.0.0.1") == Receipt(False, "No answer within 4 s.")
    assert time.monotonic() - began >= 4


def test_what_went_wrong_is_told_without_the_secret(webhook: Webhook) -> None:
    webhook.answers = [500]
    receipt = send(f"json://anna:{HOOK}@{webhook.host}/{HOOK}", "127.0.0.1")
    assert not receipt.delivered
    assert "500" in receipt.detail
    assert HOOK not in receipt.detail


def test_the_courier_gets_nothing_of_our_environment(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither secrets nor a proxy that would be asked to connect in its stead."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert send(webhook.url, "127.0.0.1").delivered
