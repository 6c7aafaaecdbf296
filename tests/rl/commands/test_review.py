"""What waits for a person, and who may answer, as commands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from conf.specs.review import Review
from rl.commands import promote, register, reject, review
from rl.errors import RegistryError
from rl.figures.night import read_figures
from rl.page.wording import signed
from rl.registry.approvals import read_approvals
from rl.registry.history import EarlierVersion
from rl.registry.store import aliases, open_store
from rl.registry.versions import RegisteredVersion
from rl.registry.waiting import WaitingVersion
from tests.rl.commands.conftest import NightHome

pytestmark = pytest.mark.xdist_group("nights")

MODEL = "recommendation-policy"


def with_review(night: NightHome, monkeypatch: pytest.MonkeyPatch, **content: Any) -> NightHome:
    """The same night under a spec that says who may answer."""
    scenario = night.pipeline.scenario.model_copy(update={"review": Review(**content)})
    pipeline = night.pipeline.model_copy(update={"scenario": scenario})
    monkeypatch.setattr(reject, "load_pipeline", lambda *_: pipeline)
    return NightHome(night.home, pipeline, night.run_date)


def test_what_waits_is_told_in_one_line(
    logged_night: NightHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With age, verdict, gain, page and what to type; once it is rejected nothing waits, and nothing promotes it."""
    night = logged_night.copied_to(tmp_path / "home")
    assert review.run(settings=night.settings, scenario=None) == {"waiting": []}
    registered = night.command(register)
    capsys.readouterr()
    (row,) = review.run(settings=night.settings, scenario=None)["waiting"]
    (line,) = capsys.readouterr().out.splitlines()
    assert (row["model"], row["version"], row["verdict"], row["page"]) == (MODEL, 1, "promote", str(night.run.page))
    assert row["gain"] == registered["request"]["gain"]
    assert line.startswith(f"{MODEL} version 1, night of {night.run_date}: waits ")
    assert f"gain {row['gain']}" in line
    assert f"make promote SOURCE=canonical DATE={night.run_date} SCENARIO=recommendation VERSION=1" in line
    with open_store(night.settings) as client:
        client.delete_model_version_tag(MODEL, "1", "nightcart.gain")
    (row,) = review.run(settings=night.settings, scenario=None)["waiting"]
    gain = read_figures(night.run.evaluation).gain
    assert gain is not None
    assert row["gain"].startswith(f"{signed(gain.value)} (")
    said = reject.run(settings=night.settings, scenario="recommendation", version=1, why="too bold", who="ann")
    assert (said["kind"], said["version"], said["who"], said["why"]) == ("reject", 1, "ann", "too bold")
    assert review.run(settings=night.settings, scenario=None) == {"waiting": []}
    assert night.command(register)["is_challenger"] is False
    with pytest.raises(RegistryError, match="was rejected"):
        night.command(promote, version=1)


def test_the_request_tells_gain_and_guardrails_as_the_page_does(logged_night: NightHome, tmp_path: Path) -> None:
    """In percent and in the unit, each with its interval; registration.json carries it to the approval."""
    night = logged_night.copied_to(tmp_path / "home")
    told = night.command(register)["request"]
    assert "%" in told["gain"]
    assert f"{night.pipeline.scenario.reward.unit} per episode" in told["gain"]
    assert "interval" in told["gain"]
    (guardrail,) = told["guardrails"]
    assert guardrail.startswith("clicks: kept; ")
    assert "allowed to fall by 10.0%" in guardrail
    assert 0 < told["share_changed"] <= 1


def test_only_respondents_answer(logged_night: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is refused, by name and with who may; where approval is automatic nobody is asked."""
    night = with_review(logged_night.copied_to(tmp_path / "home"), monkeypatch, respondents=("ann", "bob"))
    night.command(register)
    with pytest.raises(RegistryError, match=r"eve may not approve or reject.*it asks ann, bob"):
        night.command(promote, version=1, who=["eve"])
    with pytest.raises(RegistryError, match="eve may not approve or reject"):
        reject.run(settings=night.settings, scenario="recommendation", version=1, why="no", who="eve")
    assert read_approvals(night.settings, MODEL) == []
    assert night.command(promote, version=1, who=["bob"], why=["fine"])["champion"] == 1
    (entry,) = read_approvals(night.settings, MODEL)
    assert (entry.who, entry.why) == ("bob", "fine")


def test_a_bold_version_takes_two_people(
    logged_night: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first word is kept and told by what waits; the second, of another person, promotes."""
    night = with_review(
        logged_night.copied_to(tmp_path / "home"), monkeypatch, respondents=("ann", "bob"), second_person_above=0.0
    )
    night.command(register)
    first = night.command(promote, version=1, who=["ann"])
    assert "a second person has to approve it; so far ann did" in first["skipped"]
    (row,) = review.run(settings=night.settings, scenario=None)["waiting"]
    assert row["approved_by"] == ["ann"]
    assert night.command(promote, version=1, who=["bob"])["champion"] == 1


def test_a_version_of_unknown_boldness_takes_two_people(
    logged_night: NightHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody took its tag away in MLflow, or an earlier release registered it."""
    night = with_review(
        logged_night.copied_to(tmp_path / "home"), monkeypatch, respondents=("ann", "bob"), second_person_above=1.0
    )
    night.command(register)
    with open_store(night.settings) as client:
        client.delete_model_version_tag(MODEL, "1", "nightcart.share_changed")
    assert "skipped" in night.command(promote, version=1, who=["ann"])
    with open_store(night.settings) as client:
        assert aliases(client, MODEL) == {"challenger": 1}


@pytest.mark.parametrize("why", ["", "  "])
def test_a_rejection_says_why(logged_night: NightHome, why: str) -> None:
    with pytest.raises(RegistryError, match="say why"):
        reject.run(settings=logged_night.settings, scenario="recommendation", version=1, why=why, who=None)


@pytest.mark.parametrize(
    ("waited", "expected"),
    [
        (timedelta(seconds=20), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_ages_are_told_in_their_largest_unit(waited: timedelta, expected: str) -> None:
    now = datetime(2026, 2, 1, tzinfo=UTC)
    version = RegisteredVersion(MODEL, 1, {}, "", "")
    judged = EarlierVersion(version, "", None, None, None, ())
    assert WaitingVersion(version, registered_at=now - waited, judged=judged, approved_by=()).age(now) == expected
