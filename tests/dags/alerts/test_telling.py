"""An alert is logged, posted and mailed, once; what can't be sent is said and fails nothing."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conf.paths import sent_alerts
from conf.settings import PROJECT_ROOT, Settings
from dags.alerts.alert import ALERTS, RUNBOOK, Alert
from dags.alerts.telling import AlertNotifier, tell
from tests.dags.alerts.sinks import Sink, mail_server, webhook

ALERT = Alert("no_delivery", "simulated_shop 2026-03-05", "no file of the feed orders", "no_delivery/shop/2026-03-05")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTCART_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def posted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with webhook() as sink:
        monkeypatch.setenv("NIGHTCART_ALERT_WEBHOOK", f"http://127.0.0.1:{sink.port}/hook/sekret")
        yield sink


@pytest.fixture
def mailed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with mail_server() as sink:
        monkeypatch.setenv("NIGHTCART_ALERT_SMTP", f"smtp://127.0.0.1:{sink.port}")
        monkeypatch.setenv("NIGHTCART_ALERT_EMAIL", "ops@shop.example, night@shop.example")
        yield sink


def kept(home: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in sent_alerts(home).read_text().splitlines()]


def test_an_alert_goes_every_way_that_is_set(posted: Sink, mailed: Sink, caplog: pytest.LogCaptureFixture) -> None:
    """Each says what happened to what, why, and where cause and cure stand."""
    tell(ALERT)
    (content,) = posted.received
    assert content["alert"] == "no_delivery"
    (mail,) = mailed.received
    assert "To: ops@shop.example, night@shop.example" in mail
    for text in (content["text"], mail, caplog.text):
        assert "a delivery isn't whole by its deadline: simulated_shop 2026-03-05" in text
        assert "no file of the feed orders" in text
        assert "docs/operations.md#alert-no_delivery" in text


def test_an_alert_is_told_once(posted: Sink, home: Path) -> None:
    """A night that is repeated doesn't wake anybody again; another key does."""
    tell(ALERT)
    tell(ALERT)
    tell(Alert("no_delivery", "simulated_shop 2026-03-06", "none", "no_delivery/shop/2026-03-06"))
    assert len(posted.received) == 2
    assert [one["ways"] for one in kept(home)] == [{"webhook": "sent"}, {"webhook": "sent"}]


def test_what_cannot_be_sent_is_said_and_sent_the_next_time(
    posted: Sink, mailed: Sink, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is raised, the secret address isn't shown, and the way that worked isn't gone twice."""
    posted.status = 500
    tell(ALERT)
    assert "alert no_delivery could not be sent by webhook: OSError: 127.0.0.1: HTTP Error 500" in caplog.text
    assert "sekret" not in caplog.text + sent_alerts(home).read_text()
    posted.status = 200
    tell(ALERT)
    tell(ALERT)
    assert (len(posted.received), len(mailed.received)) == (2, 1)
    assert kept(home)[-1]["ways"] == {"email": "sent", "webhook": "sent"}


def test_an_unreachable_mail_server_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says which way failed, and why."""
    with mail_server() as gone:
        port = gone.port
    monkeypatch.setenv("NIGHTCART_ALERT_SMTP", f"smtp://127.0.0.1:{port}")
    monkeypatch.setenv("NIGHTCART_ALERT_EMAIL", "ops@shop.example")
    tell(ALERT)
    assert "could not be sent by email: ConnectionRefusedError" in caplog.text


def test_a_record_cut_in_its_last_line_hides_no_alert(posted: Sink, home: Path) -> None:
    """As a full disk or a kill leaves it."""
    sent_alerts(home).parent.mkdir(parents=True)
    sent_alerts(home).write_text('{"key": "no_delivery/shop/2026-03-05", "way')
    tell(ALERT)
    assert len(posted.received) == 1


def test_an_alert_that_cannot_be_found_fails_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """As Airflow calls a notifier."""
    notifier = AlertNotifier(lambda context: [context["nothing"]])
    with caplog.at_level(logging.ERROR):
        notifier({"dag": None})
    assert "whether there is something to tell could not be found out" in caplog.text
    assert "KeyError: 'nothing'" in caplog.text


def test_a_subject_is_one_line() -> None:
    """Whatever it is about can't add a header to a mail."""
    assert "\n" not in Alert("disk", "a\nBcc: x", "full", "k").subject


def test_an_alert_has_a_known_name() -> None:
    """A name stands for a section of the runbook."""
    with pytest.raises(ValueError, match=r"^'no_deliveri' is no alert's name; expected one of no_delivery"):
        Alert("no_deliveri", "x", "y", "z")


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_stands_in_the_runbook(name: str) -> None:
    """With what it means, where it comes from and what helps."""
    text = (PROJECT_ROOT / RUNBOOK).read_text(encoding="utf-8")
    section = re.search(rf"^### Alert {name}$(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section, f"no section `### Alert {name}`"
    assert "**Cause.**" in section[1] and "**Cure.**" in section[1]


def test_settings_do_not_show_secrets() -> None:
    """A webhook's address and a mail server's password stay out of what is printed."""
    given = {"NIGHTCART_ALERT_WEBHOOK": "https://chat/sekret", "NIGHTCART_ALERT_SMTP": "smtp://u:sekret@mail:25"}
    assert "sekret" not in repr(Settings.from_environment(given))
