"""What docs/extending.md shows is run from outside: each block registers itself, and the real thing uses it."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from conf.errors import SpecError
from conf.settings import PROJECT_ROOT
from conf.specs.candidate import DISCRETE_ALGORITHMS, Candidate
from conf.specs.scenario import Scenario
from conf.specs.strict_yaml import parse_model
from rl.data.logged_episodes import LoggedEpisodes
from rl.data.shopper_segments import SEGMENTS, segments_of
from rl.gate.rules import RULES, Decision, GateEvidence, GateRules, judge
from rl.learning.candidates import find_candidate
from rl.learning.training import TrainingSettings, train_candidate
from rl.ope.estimators.registry import ESTIMATORS, nightly_estimators
from rl.ope.intervals.intervals import Interval, Resampling
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, evaluate_policies
from rl.ope.samples.discount import Discount
from rl.ope.samples.ratio_balance import RatioBalance
from rl.ope.samples.sample import evaluation_sample
from rl.ope.segments import SegmentFloors, segment_values
from rl.page.render import render_page
from tests.rl.factories import make_logged_episodes, make_pipeline
from tests.rl.ope.tabular_mdp import small_mdp
from tests.rl.page.content_factory import estimate, review

PAGE = PROJECT_ROOT / "docs" / "extending.md"
PACKAGE = "my_shop"
REGISTRIES: tuple[dict[str, Any], ...] = (ESTIMATORS, DISCRETE_ALGORITHMS, SEGMENTS, RULES)
GAMMA = 0.9

Register = Callable[[str], ModuleType]


def blocks() -> dict[str, str]:
    """The page's blocks of code by the module that their first line names."""
    found = re.findall(rf"```python\n# {PACKAGE}/(\w+)\.py\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    return dict(found)


@pytest.fixture
def register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    """Writes a block as a module of a package outside the project and imports it; everything is undone afterwards."""
    before = [dict(registry) for registry in REGISTRIES]
    monkeypatch.syspath_prepend(tmp_path)

    def imported(name: str) -> ModuleType:
        (tmp_path / PACKAGE).mkdir()
        (tmp_path / PACKAGE / "__init__.py").touch()
        (tmp_path / PACKAGE / f"{name}.py").write_text(blocks()[name], encoding="utf-8")
        importlib.invalidate_caches()
        return importlib.import_module(f"{PACKAGE}.{name}")

    yield imported
    for registry, content in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(content)
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_the_page_shows_every_kind() -> None:
    """No block of code stands on the page that no test runs."""
    assert set(blocks()) == {"estimator", "learner", "segment", "gate_rule"}
    assert PAGE.read_text(encoding="utf-8").count("```python") == len(blocks())


@pytest.mark.parametrize("name", sorted(blocks()))
def test_a_block_is_less_than_twenty_lines_and_one_entry(name: str) -> None:
    """Imports and blank lines included; one function and one entry."""
    lines = blocks()[name].splitlines()
    assert len(lines) < 20
    assert sum(bool(re.match(r"\s*def ", line)) for line in lines) == 1
    assert sum(bool(re.match(r"[A-Z_]+\[\".*\"\] = ", line)) for line in lines) == 1


def test_an_estimator_is_reported_beside_those_of_a_night(register: Register) -> None:
    """It has a value, an interval and an effective sample size for each policy, and its weights are limited."""
    mdp = small_mdp(end_probability=0.5)
    train, test = (mdp.log(mdp.random_policy(1), n_episodes=400, seed=seed, n_units=200) for seed in (0, 1))
    policy = mdp.random_policy(2, sharpness=2.0)
    assert "capped_pdis" not in nightly_estimators()
    register("estimator")
    assert nightly_estimators()[-1] == "capped_pdis"
    settings = EvaluationSettings(
        Discount(GAMMA), resampling=Resampling(200), fqe=FqeSettings(method="linear")
    )  # no estimator is named: those of a night
    evaluation = evaluate_policies({"candidate": policy}, train=train, test=test, settings=settings)
    found = evaluation.report("candidate", "capped_pdis")
    sample = evaluation_sample(policy, test, discount=Discount(GAMMA))
    weight = np.minimum(sample.require_weights(), 5.0)
    assert sample.require_weights().max() > 5
    assert found.value == pytest.approx(float((sample.discount * weight * sample.reward).sum()) / test.n_episodes)
    assert found.value != pytest.approx(evaluation.report("candidate", "pdis").value)
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower < found.value < found.upper
    assert evaluation.report(BEHAVIOR, "capped_pdis").value == pytest.approx(evaluation.report(BEHAVIOR, "pdis").value)


def test_an_estimator_from_outside_stands_on_the_page(register: Register) -> None:
    """Under its own name, though the page knows no meaning of it."""
    register("estimator")
    page = review()
    candidate = page.policies[1]
    shown = candidate.model_copy(update={"estimates": (*candidate.estimates, estimate("capped_pdis", 1.4))})
    html = render_page(page.model_copy(update={"policies": (page.policies[0], shown)}))
    assert "capped_pdis" in html


def test_a_learner_is_named_by_a_spec_and_trained(register: Register) -> None:
    """A scenario may name it; on a small log it learns what its discount says, not what the scenario's does."""
    with pytest.raises(SpecError, match="got 'myopic_cql'"):
        scenario_with("myopic_cql")
    register("learner")
    log = random_log()
    myopic = trained_outputs("myopic_cql", log, gamma=GAMMA)
    assert np.isfinite(myopic).all()
    assert np.array_equal(myopic, trained_outputs("discrete_cql", log, gamma=0.0))
    assert not np.allclose(myopic, trained_outputs("discrete_cql", log, gamma=GAMMA))


def test_a_learner_takes_the_parameters_of_its_entry_alone(register: Register) -> None:
    """What the entry doesn't name is refused, as of any learner."""
    register("learner")
    Candidate(algorithm="myopic_cql", seeds=(1,), n_updates=1, conservative_weight=0.5)
    with pytest.raises(ValueError, match="myopic_cql takes no expectile"):
        Candidate(algorithm="myopic_cql", seeds=(1,), n_updates=1, expectile=0.5)


def test_a_segment_has_values_on_a_log(register: Register) -> None:
    """Its parts are among the segments of the episodes, each with candidate, baseline and gain."""
    mdp = small_mdp(end_probability=0.5)
    log = mdp.log(mdp.random_policy(1), n_episodes=600, seed=0, n_units=300)
    observation = {"n_past_sessions_days": np.arange(log.n_episodes) % 6}
    assert "regularity" not in {one.dimension for one in segments_of(observation, {}, of_episodes=True)}
    register("segment")
    report = segment_values(
        evaluation_sample(mdp.random_policy(2), log, discount=Discount(GAMMA)),
        evaluation_sample(None, log, discount=Discount(GAMMA)),
        segments_of(observation, {}, of_episodes=True),
        estimator_name="wpdis",
        floors=SegmentFloors(0.0, 0.0),
        confidence=0.95,
        resampling=Resampling(200),
    )
    found = {value.label: value for value in report.values if value.dimension == "regularity"}
    labels = ["no day with a visit", "1 to 3 days with a visit", "4 or more days"]
    assert list(found) == labels
    assert [found[label].n_episodes for label in labels] == [100, 300, 200]
    assert all(value.gain is not None for value in found.values())


@pytest.mark.parametrize(
    ("gain", "before", "after"),
    [
        (0.4, Decision.PROMOTE, Decision.PROMOTE),
        (0.05, Decision.PROMOTE, Decision.PROMOTE),
        (0.04, Decision.PROMOTE, Decision.REJECT),
        (-0.4, Decision.REJECT, Decision.REJECT),
        (None, Decision.ABSTAIN, Decision.ABSTAIN),
    ],
)
def test_a_rule_of_the_gate_takes_part_in_the_verdict(
    register: Register, gain: float | None, before: Decision, after: Decision
) -> None:
    """It adds a line to the checks, and rejects what it says it rejects, with its own sentence."""
    rules = GateRules(alpha=0.01, min_effective_sample_size=200, min_effective_rewarded=100)
    plain = judge(evidence(gain), rules)
    register("gate_rule")
    verdict = judge(evidence(gain), rules)
    assert (plain.decision, verdict.decision) == (before, after)
    assert [check.name for check in verdict.checks] == [*(check.name for check in plain.checks), "worth_a_release"]
    assert (before is after) or verdict.reasons == (
        "The gain is +0.04 points per episode; a release takes at least +0.05.",
    )


def test_nothing_stays_registered() -> None:
    """Other tests see the project's own entries alone."""
    own = {"capped_pdis", "myopic_cql", "regularity", "worth_a_release"}
    assert not any(own & set(registry) for registry in REGISTRIES)


def scenario_with(algorithm: str) -> Scenario:
    """The recommendation scenario with one small candidate."""
    content = make_pipeline().scenario.model_dump()
    candidate = {"algorithm": algorithm, "seeds": [1], "n_updates": 20, "batch_size": 32, "hidden_units": [16]}
    return parse_model(Scenario, content | {"candidates": [candidate]}, "test")


def random_log(n: int = 120) -> LoggedEpisodes:
    generator = np.random.default_rng(0)
    features, following = generator.normal(size=(2, n, 4)).astype(np.float32)
    reward = generator.normal(size=n)
    return make_logged_episodes([3] * (n // 3), features=features, next_features=following, reward=reward)


def trained_outputs(algorithm: str, log: LoggedEpisodes, *, gamma: float) -> Any:
    """What the network of the scenario's candidate gives for each row and action after a few updates."""
    seeded = find_candidate(scenario_with(algorithm), f"{algorithm}-1")
    return train_candidate(seeded, log, None, TrainingSettings(gamma=gamma)).network.forward(log.features)


def evidence(gain: float | None) -> GateEvidence:
    """Evidence that is promoted where there is a gain."""
    return GateEvidence(
        candidate="candidate",
        baseline="champion 3",
        estimator="dr",
        unit_of_value="points",
        is_logged=True,
        difference=None if gain is None else Interval(gain, gain / 2, 2 * gain, 0.98, "test", 0.1),
        effective_sample_size=900.0,
        effective_rewarded=300.0,
        effective_differing=400.0,
        balances={"candidate": RatioBalance(1.0, 0.004)},
    )
