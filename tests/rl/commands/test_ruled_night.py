"""A night of a scenario with rules: no candidate learns, or is valued by, what they take away; it is registered so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.errors import SpecError
from rl.commands import evaluate, prepare, register, train
from rl.data.dataset import load_dataset
from rl.data.description import read_description
from rl.data.shop_rules import rules_of_scenario
from rl.errors import EvaluationError, TrainingError
from rl.figures.night import read_figures
from rl.learning.trained_candidates import load_candidates
from rl.page.review_content import review_content
from rl.registry.champion import load_version_policy
from rl.registry.store import open_store
from rl.registry.versions import load_version
from tests.rl.commands.conftest import SMALL, NightHome, made_up_night
from tests.rl.factories import item, make_pipeline

BLOCKED, FOR_CLICKERS = item(0), item(1)
RULES: dict[str, Any] = {
    "block": [{"actions": [BLOCKED]}],
    "eligibility": [{"actions": [FOR_CLICKERS], "feature": "n_session_clicks", "at_least": 1}],
}
BRIEF: dict[str, Any] = SMALL | {
    "candidates": [one | {"n_updates": 60} for one in SMALL["candidates"]],
    "evaluation": {"n_bootstrap": 100, "fqe_updates": 50},
    "rules": RULES,
}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> NightHome:
    home = tmp_path_factory.mktemp("ruled") / "home"
    found = made_up_night(home, make_pipeline("canonical", **BRIEF), n_episodes=60, n_users=120)
    found.command(evaluate)
    return found


def test_every_candidate_learns_without_what_the_rules_take_away(night: NightHome) -> None:
    """The rows that are left are counted; the policies carry the rules and give what they forbid nothing."""
    dataset = load_dataset(night.pipeline, night.lake, night.run)
    training, names = dataset.to_logged_episodes("train"), dataset.vocabulary.names
    clicks = dataset.transitions("train").observation["n_session_clicks"]
    is_away = (training.action == names.index(BLOCKED)) | (
        (training.action == names.index(FOR_CLICKERS)) & (clicks < 1)
    )
    assert 0 < is_away.sum() < 0.2 * len(is_away)
    candidates = load_candidates(night.run, read_description(night.run).candidates, dataset_digest=dataset.digest)
    assert len(candidates) == len(SMALL["candidates"])
    for candidate in candidates.values():
        assert candidate.result["n_transitions"] == int((~is_away).sum())
        assert candidate.policy.rules == rules_of_scenario(night.pipeline.scenario)
        chances = candidate.policy.probabilities(training.features, training.mask())
        assert (chances[:, names.index(BLOCKED)] == 0).all()
        assert (chances[clicks < 1, names.index(FOR_CLICKERS)] == 0).all()
        has_it = training.mask()[:, names.index(FOR_CLICKERS)]
        assert (chances[(clicks >= 1) & has_it, names.index(FOR_CLICKERS)] > 0).all()


def test_the_registered_version_carries_the_rules(night: NightHome) -> None:
    registered = night.command(register)
    with open_store(night.settings) as client:
        version = load_version(client, registered["model"], registered["version"])
        assert version is not None
        policy = load_version_policy(client, version)
    assert policy.rules == rules_of_scenario(night.pipeline.scenario)
    assert BLOCKED not in set(policy.act(_observations(policy, 400), seed=0).actions)


def _observations(policy: Any, n: int) -> dict[str, np.ndarray]:
    lists = {column.name for column in policy.encoder.columns if column.kind in ("list", "tokens")}
    return {
        column.name: np.zeros((n, 5) if column.name in lists else n, dtype=np.int64)
        for column in policy.encoder.columns
    }


def test_a_rule_about_an_action_that_nothing_knows_stops_the_night(night: NightHome, tmp_path: Path) -> None:
    """It would take nothing away; one that is still to come may be named where that is said."""
    misspelt = f"{BLOCKED}x"
    copied = night.copied_to(tmp_path / "home").home
    for rules, is_said in (({}, False), ({"not_yet_known": [misspelt]}, True)):
        pipeline = make_pipeline("canonical", **BRIEF | {"rules": {"block": [{"actions": [misspelt]}], **rules}})
        found = NightHome(copied, pipeline, night.run_date)
        if is_said:
            assert found.command(prepare)["dataset_digest"]
        else:
            with pytest.raises(SpecError, match=f"nothing knows '{misspelt}'; did you mean '{BLOCKED}'"):
                found.command(prepare)


def test_candidates_of_other_rules_are_not_judged(night: NightHome, tmp_path: Path) -> None:
    """Rules that changed after training: what was learned under those before must be learned again."""
    pipeline = make_pipeline("canonical", **BRIEF | {"rules": {"block": RULES["block"]}})
    changed = NightHome(night.copied_to(tmp_path / "home").home, pipeline, night.run_date)
    with pytest.raises(EvaluationError, match=r"bc-1 was trained under other rules than the scenario has now.*train"):
        changed.command(evaluate)
    for name in read_description(night.run).candidates:
        changed.command(train, candidate=name)
    changed.command(evaluate)
    figures = read_figures(changed.run.evaluation)
    assert review_content(figures).rules == (f"Never chosen: {BLOCKED}.",)


def test_rules_that_leave_nothing_stop_the_night(night: NightHome, tmp_path: Path) -> None:
    """Before anything is learned."""
    everything = [item(index) for index in range(12)]
    pipeline = make_pipeline("canonical", **BRIEF | {"rules": {"block": [{"actions": everything}]}})
    ruled_out = NightHome(night.copied_to(tmp_path / "home").home, pipeline, night.run_date)
    ruled_out.command(prepare)
    with pytest.raises(TrainingError, match="no transitions to learn from"):
        ruled_out.command(train, candidate="bc-1")
