"""What estimated propensities add to the gate's bounds, against estimates made anew under every fit."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import norm

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray, LoggedEpisodes
from rl.gate.evidence import gate_evidence
from rl.gate.propensity_doubt import PropensityDoubt, propensity_doubt
from rl.gate.rules import GateEvidence
from rl.ope.contenders import Contender
from rl.ope.intervals.intervals import Resampling
from rl.ope.propensities.behavior_policy import PropensityRepeats
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.rl.factories import make_pipeline
from tests.rl.ope.tabular_mdp import small_mdp

MDP = small_mdp()
LOGGER, POLICY, CHAMPION = MDP.random_policy(1), MDP.random_policy(2), MDP.random_policy(3)
SETTINGS = EvaluationSettings(
    DiscountFunction(0.9), estimators=("dr",), resampling=Resampling(300, seed=2), fqe=FqeSettings(method="linear")
)
ALPHA = 0.02
N_REPEATS, N_FOLDS = 2, 3
GATE = make_pipeline().scenario.gate


def clicks(log: LoggedEpisodes) -> LoggedEpisodes:
    """Return the log with a side metric that hangs on the reward."""
    return replace(log, metrics={"clicks": np.asarray(1.0 + (log.reward > 0))})


@cache
def logs() -> tuple[LoggedEpisodes, LoggedEpisodes]:
    train, test = (clicks(MDP.log(LOGGER, n_episodes=1500, seed=seed)) for seed in (3, 4))
    return train, test


def wobbled(size: float) -> PropensityRepeats:
    """Return propensities that each fit gets wrong by up to that share, each in its own way."""
    generator, (_, test) = np.random.default_rng(9), logs()
    n = len(test.propensity)

    def fits(*shape: int) -> FloatArray:
        off = 1 + size * generator.uniform(-1, 1, size=(*shape, 1)) * generator.random((*shape, n))
        return np.asarray(np.clip(test.propensity * off, 1e-6, 1.0))

    return PropensityRepeats(fits(N_REPEATS), fits(N_REPEATS, N_FOLDS))


def evaluated(test: LoggedEpisodes, outcome: str = "reward") -> PolicyEvaluation:
    policies = {"candidate": POLICY, "champion": CHAMPION}
    return evaluate_policies(
        policies, train=logs()[0], test=test, settings=SETTINGS, outcome=outcome, keeps_samples=True
    )


def evidence_on(baseline: str, test: LoggedEpisodes) -> tuple[GateEvidence, PolicyEvaluation, PolicyEvaluation]:
    whole, metric = evaluated(test), evaluated(test, "clicks")
    (rail,) = (one for one in GATE.guardrails if one.metric == "clicks")
    found = gate_evidence(
        whole,
        {"clicks": metric},
        candidate="candidate",
        baseline=baseline,
        estimator="dr",
        gate=GATE.model_copy(update={"guardrails": (rail,)}),
        alpha=ALPHA,
        unit_of_value="points",
    )
    return found, whole, metric


def doubt_of(whole: PolicyEvaluation, metric: PolicyEvaluation, repeats: PropensityRepeats) -> PropensityDoubt:
    train, test = logs()
    pooled = replace(test, propensity=repeats.pooled())
    contenders = [Contender("candidate", POLICY, train, pooled), Contender("champion", CHAMPION, train, pooled)]
    return propensity_doubt([whole, metric], contenders, repeats)


def anew(repeats: PropensityRepeats, outcome: str, baseline: str) -> dict[str, FloatArray]:
    """Return what is compared under every fit, by evaluating the log with that fit's propensities from the start."""

    def compared(propensity: FloatArray) -> float:
        found = evaluated(replace(logs()[1], propensity=propensity), outcome)
        candidate, other = (found.report(name, "dr").value for name in ("candidate", baseline))
        assert candidate is not None
        assert other is not None
        return candidate - other if outcome == "reward" else candidate / other - 1

    return {
        "by_repeat": np.array([compared(fit) for fit in repeats.by_repeat]),
        "by_model": np.array([[compared(fit) for fit in fits] for fits in repeats.by_model]),
    }


def extra_error(value: float, found: dict[str, FloatArray]) -> float:
    """Return the root of both variances as their papers state them: between deals, and the delete-a-group jackknife."""
    between_deals = np.mean([(one - value) ** 2 for one in found["by_repeat"]])
    jackknives = [(N_FOLDS - 1) / N_FOLDS * sum((fits - fits.mean()) ** 2) for fits in found["by_model"]]
    return math.sqrt(between_deals + np.mean(jackknives))


@pytest.mark.parametrize("baseline", [BEHAVIOR, "champion"])
def test_the_gates_bounds_grow_by_the_scatter_of_the_fits(baseline: str) -> None:
    """Root of the sum of squares of the bound's own distance and the scatter's, at the bound's one-sided level."""
    repeats = wobbled(0.3)
    before, whole, metric = evidence_on(baseline, replace(logs()[1], propensity=repeats.pooled()))
    after = doubt_of(whole, metric, repeats).widened_evidence(before, whole)
    assert before.difference is not None
    assert after.difference is not None
    value, lower, upper = before.difference.value, before.difference.lower, before.difference.upper
    extra = extra_error(value, anew(repeats, "reward", baseline))
    reach = float(norm.ppf((1 + before.difference.level) / 2)) * extra
    assert reach > 0.02 * (value - lower)
    assert after.difference.value == value
    assert after.difference.lower == pytest.approx(value - math.hypot(value - lower, reach), rel=1e-9)
    assert after.difference.upper == pytest.approx(value + math.hypot(upper - value, reach), rel=1e-9)
    assert after.difference.standard_error == pytest.approx(math.hypot(before.difference.standard_error, extra))


@pytest.mark.parametrize("baseline", [BEHAVIOR, "champion"])
def test_guardrails_grow_by_the_scatter_of_their_own_ratio(baseline: str) -> None:
    """At the confidence of the spec's intervals, not at the night's level."""
    repeats = wobbled(0.3)
    before, whole, metric = evidence_on(baseline, replace(logs()[1], propensity=repeats.pooled()))
    after = doubt_of(whole, metric, repeats).widened_evidence(before, whole)
    (was,), (found,) = before.guardrails, after.guardrails
    assert was.relative_increase is not None
    assert was.lower_bound is not None
    assert found.lower_bound is not None
    extra = extra_error(was.relative_increase, anew(repeats, "clicks", baseline))
    reach = float(norm.ppf((1 + SETTINGS.confidence) / 2)) * extra
    expected = was.relative_increase - math.hypot(was.relative_increase - was.lower_bound, reach)
    assert found.lower_bound < was.lower_bound
    assert found.lower_bound == pytest.approx(expected, rel=1e-9)


def test_fits_that_agree_add_nothing() -> None:
    repeats = PropensityRepeats(
        np.tile(logs()[1].propensity, (N_REPEATS, 1)), np.tile(logs()[1].propensity, (N_REPEATS, N_FOLDS, 1))
    )
    before, whole, metric = evidence_on("champion", logs()[1])
    after = doubt_of(whole, metric, repeats).widened_evidence(before, whole)
    assert before.difference is not None
    assert after.difference is not None
    assert after.difference.lower == pytest.approx(before.difference.lower, rel=1e-9)
    assert after.guardrails[0].lower_bound == pytest.approx(before.guardrails[0].lower_bound, rel=1e-9)


def test_a_fit_under_which_nothing_can_be_valued_takes_the_difference_away() -> None:
    """Its scatter isn't known: no bound, but the reason."""
    repeats = wobbled(0.3)
    repeats.by_model[0, 0] = 1e-320
    before, whole, metric = evidence_on(BEHAVIOR, replace(logs()[1], propensity=repeats.pooled()))
    after = doubt_of(whole, metric, repeats).widened_evidence(before, whole)
    assert before.difference is not None
    assert after.difference is None
    assert "isn't finite" in str(after.refusal)
    assert after.guardrails[0].bound is None
