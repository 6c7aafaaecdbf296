"""A version in the shadow: asked of what it would decide, and answered to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conf.specs.scenario import load_pipeline
from rl.errors import ServingError
from rl.policy import StochasticPolicy
from rl.policy.action_rules import ActionRules
from rl.policy.stochastic_policy import BoolArray, FeatureArray, FloatArray
from rl.serving.bodies import DecideRequest
from rl.serving.decisions import Decided
from rl.serving.following import Follower
from rl.serving.service import Service, ServingOptions
from rl.serving.shadow import ShadowLine, ShadowLog, shadow_lines_of
from tests.rl.serving.served_home import ACTIONS, SCENARIO, SOURCE, policy_of, promote, settings_at

N = 40


@contextmanager
def a_service(home: Path, folder: Path) -> Iterator[Service]:
    settings, pipeline = settings_at(home), load_pipeline(SCENARIO, SOURCE)
    Follower(settings, pipeline).look()
    service = Service(settings, pipeline, ServingOptions(decisions=folder, rules=ActionRules()))
    try:
        service.look()
        yield service
    finally:
        service.close()


@pytest.fixture(scope="module")
def replacing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 2 in the shadow of version 1."""
    home = tmp_path_factory.mktemp("shadow") / "home"
    home.mkdir()
    promote(home, 0)
    promote(home, 1, share=0.0, is_shadow=True)
    return home


def ask(service: Service, **changes: object) -> list[Decided]:
    bodies = [
        DecideRequest.model_validate({"user_id": f"shopper-{n}", "available_actions": ACTIONS} | changes)
        for n in range(N)
    ]
    return asyncio.run(service.decide(bodies))


def lines_in(folder: Path) -> list[ShadowLine]:
    found = []
    for path in sorted(folder.glob("shadow-*.jsonl")):
        day = datetime.strptime(path.stem, "shadow-%Y-%m-%d").replace(tzinfo=UTC).date()
        found += shadow_lines_of(folder, day)
    return found


def test_what_it_replaces_decides_and_the_shadow_is_logged(replacing: Path, tmp_path: Path) -> None:
    """Each position of each decision has one line, with the new version's own choice, that anybody may read."""
    with a_service(replacing, tmp_path) as service:
        ready = service.readiness()
        assert (ready.version, ready.incumbent, ready.share, ready.is_shadow) == (2, 1, 0.0, True)
        decided = ask(service, n=2)
    open_to_it = [one for one in decided if one.arm != "control"]
    assert {choice.policy_version for one in open_to_it for choice in one.choices} == {policy_of(0).version}
    lines = {line.decision_id: line for line in lines_in(tmp_path)}
    assert set(lines) == {one.decision_id(position) for one in open_to_it for position in range(2)}
    assert {line.policy_version for line in lines.values()} == {policy_of(1).version}
    for one in open_to_it:
        for position, choice in enumerate(one.choices):
            line = lines[one.decision_id(position)]
            assert line.served == choice.action
            assert line.action in ACTIONS
            assert line.propensity is not None
            assert 0 < line.propensity <= 1
        assert lines[one.decision_id(1)].action != one.choices[0].action  # it stands in the slate
    text = "".join(path.read_text() for path in tmp_path.glob("shadow-*"))
    assert not [one for one in decided if one.asked.shopper in text]


def test_a_shadow_that_fails_changes_no_answer(
    replacing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = StochasticPolicy.probabilities

    def probabilities(self: StochasticPolicy, features: FeatureArray, mask: BoolArray) -> FloatArray:
        if self.version == policy_of(1).version:
            raise FloatingPointError("overflow")
        return own(self, features, mask)

    monkeypatch.setattr(StochasticPolicy, "probabilities", probabilities)
    with a_service(replacing, tmp_path) as service:
        decided = ask(service)
    assert all(len(one.choices) == 1 for one in decided if not one.uses_own)
    lines = lines_in(tmp_path)
    assert len(lines) == sum(one.arm == "incumbent" for one in decided) > 0
    assert {(line.failure, line.action) for line in lines} == {("FloatingPointError", None)}


def test_a_first_version_is_asked_beside_the_shops_own_decisions(tmp_path: Path) -> None:
    """Which nobody here knows: no line says what was answered."""
    home, folder = tmp_path / "home", tmp_path / "decisions"
    home.mkdir()
    promote(home, 0, share=0.0, is_shadow=True)
    with a_service(home, folder) as service:
        decided = ask(service)
    assert all(one.uses_own and not one.choices for one in decided)
    lines = lines_in(folder)
    assert [line.decision_id for line in lines] == [one.slate_id for one in decided if one.arm == "incumbent"]
    assert {(line.served, line.action is None) for line in lines} == {(None, False)}


def test_who_opted_out_has_no_shadow(replacing: Path, tmp_path: Path) -> None:
    with a_service(replacing, tmp_path) as service:
        decided = ask(service, opted_out=True)
    assert not any(one.shadow for one in decided)
    assert lines_in(tmp_path) == []


def test_a_shadow_that_cannot_be_written_is_told_and_changes_no_answer(replacing: Path, tmp_path: Path) -> None:
    with a_service(replacing, tmp_path) as service:
        day = service.maker.business_day(service._now_us())
        (tmp_path / f"shadow-{day}.jsonl").mkdir()
        decided = ask(service)
        assert all(one.choices for one in decided if not one.uses_own)
        (problem,) = [one for one in service.readiness().problems if "shadow" in one]
        assert "the shadow's decisions can't be written (Is a directory)" in problem
        assert service.readiness().is_ready


def test_a_line_that_a_kill_cut_short_is_left_out_and_a_strange_one_is_not(tmp_path: Path) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC).date()
    log = ShadowLog(tmp_path)
    log.append(day, [ShadowLine(decision_id="d1", policy_version="p", action="a", propensity=0.5, served="b")])
    path = tmp_path / f"shadow-{day}.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"decision_id": "d2", "poli')
    (found,) = shadow_lines_of(tmp_path, day)
    assert (found.decision_id, found.is_other) == ("d1", True)
    ShadowLog(tmp_path).append(day, [found])  # a service that starts again begins a line of its own
    assert path.read_text() == whole * 2
    path.write_text(f"user,price\n{whole}")
    with pytest.raises(ServingError, match="line 1 is no decision of a shadow"):
        list(shadow_lines_of(tmp_path, day))
