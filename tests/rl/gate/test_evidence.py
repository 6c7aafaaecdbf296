from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student_t

from conf.specs.judging import Gate, Guardrail
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.gate.evidence import gate_evidence, gate_rules, reported_gain, with_losses
from rl.gate.rules import Decision, GateEvidence, judge
from rl.gate.split_losses import SplitLosses
from rl.ope.intervals.intervals import Resampling, cautious_bounds, reaching_intervals
from rl.ope.intervals.sums import difference
from rl.ope.propensities.cross_fit_variance import widened
from rl.ope.q_functions.fqe import FqeSettings
from rl.ope.report import BEHAVIOR, EvaluationSettings, PolicyEvaluation, evaluate_policies
from tests.rl.ope.tabular_mdp import TablePolicy, TabularMdp, small_mdp

GATE = Gate(
    wrong_promotions_per_year=4,
    min_effective_sample_size=50,
    min_effective_rewarded=50,
    guardrails=(Guardrail(metric="refunds", max_relative_increase=0.5),),
)
ALPHA = 0.011
SETTINGS = EvaluationSettings(
    discount=DiscountFunction(0.9),
    steps=40,
    estimators=("dm", "wpdis", "dr"),
    resampling=Resampling(n_draws=200),
    fqe=FqeSettings(method="linear", ridge=0.1),
)
MDP = small_mdp(end_probability=0.4)


def greedy(mdp: TabularMdp, behavior: TablePolicy, *, share: float) -> TablePolicy:
    """Moves the given share of the behavior policy's mass to its best (below 0: worst) action in each state."""
    q = np.where(mdp.mask, np.sign(share) * mdp.exact_q(behavior, gamma=0.9), -np.inf)
    best = np.eye(q.shape[1])[q.argmax(axis=1)]
    return TablePolicy((1 - abs(share)) * behavior.table + abs(share) * best)


def split(seed: int, *, refunded: int) -> LoggedEpisodes:
    """5,000 episodes of the behavior policy; the given action is refunded every third time."""
    log = MDP.log(MDP.random_policy(1, sharpness=0.4), n_episodes=5000, seed=seed)
    hit = (log.action == refunded) & (np.arange(log.n_transitions) % 3 == 0)
    return replace(log, metrics={"refunds": hit.astype(np.float64)})


def evaluations(
    *, refunded: int = 0, is_logged: bool = True, propensity: float | None = None
) -> tuple[PolicyEvaluation, dict[str, PolicyEvaluation]]:
    behavior = MDP.random_policy(1, sharpness=0.4)
    policies = {"better": greedy(MDP, behavior, share=0.5), "worse": greedy(MDP, behavior, share=-0.5)}
    train, test = (split(seed, refunded=refunded) for seed in (0, 1))
    if propensity is not None:
        train, test = (replace(log, propensity=np.full(log.n_transitions, propensity)) for log in (train, test))
    found = {
        outcome: evaluate_policies(
            policies, train=train, test=test, settings=SETTINGS, is_logged=is_logged, outcome=outcome
        )
        for outcome in ("reward", "refunds")
    }
    return found["reward"], {"refunds": found["refunds"]}


@pytest.fixture(scope="module")
def night() -> tuple[PolicyEvaluation, dict[str, PolicyEvaluation]]:
    return evaluations()


def gathered(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
    candidate: str,
    *,
    baseline: str = BEHAVIOR,
    estimator: str = "dr",
    gate: Gate = GATE,
) -> GateEvidence:
    """The evidence, of a night whose other splits hold no losses that the test split lacks."""
    found = gate_evidence(
        night[0],
        night[1],
        candidate=candidate,
        baseline=baseline,
        estimator=estimator,
        gate=gate,
        alpha=ALPHA,
        unit_of_value="points",
    )
    losses = SplitLosses(shift=0.0, standard_error=0.0, n_units=5000, n_differing=5000.0)
    return with_losses(found, losses, night[0], alpha=ALPHA)


@pytest.mark.parametrize("estimator", ["dr", "wpdis"])
@pytest.mark.parametrize(
    ("candidate", "baseline", "decision"),
    [
        ("better", BEHAVIOR, Decision.PROMOTE),
        ("worse", BEHAVIOR, Decision.REJECT),
        ("better", "worse", Decision.PROMOTE),
        ("worse", "better", Decision.REJECT),
        ("better", "better", Decision.REJECT),
    ],
)
def test_gate_decides_rightly_on_policies_of_known_value(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
    estimator: str,
    candidate: str,
    baseline: str,
    decision: Decision,
) -> None:
    """A clearly better policy is promoted, a worse or equal one rejected, against behavior or a champion."""
    lenient = GATE.model_copy(update={"guardrails": (Guardrail(metric="refunds", max_relative_increase=3.0),)})
    found = gathered(night, candidate, baseline=baseline, estimator=estimator, gate=lenient)
    assert judge(found, gate_rules(lenient, alpha=ALPHA)).decision is decision


def test_gate_evidence_holds_the_paired_difference_at_the_nights_level(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
) -> None:
    """The bound is that of the paired sums, one-sided."""
    found = gathered(night, "better")
    sums = night[0].sums
    paired = difference(sums["better", "dr"], sums[BEHAVIOR, "dr"])
    assert found.difference == cautious_bounds(paired, alpha=ALPHA, resampling=SETTINGS.resampling)
    assert gate_rules(GATE, alpha=ALPHA).alpha == ALPHA


def test_the_bound_is_lowered_by_losses_of_other_splits(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
) -> None:
    """By as much as they cost more per episode; the corrected gain follows the bound that decides."""
    plain = gathered(night, "better")
    assert plain.difference is not None
    error = plain.difference.standard_error
    lost = SplitLosses(shift=plain.difference.lower, standard_error=error, n_units=5000, n_differing=5000.0)
    found = with_losses(plain, lost, night[0], alpha=ALPHA).difference
    assert found is not None and (found.value, found.upper) == (plain.difference.value, plain.difference.upper)
    assert found.lower == pytest.approx(found.value - lost.shift - student_t.ppf(1 - ALPHA, 4999) * error)
    unknown = with_losses(gathered(night, "better"), "nobody knows", night[0], alpha=ALPHA)
    assert unknown.losses_refusal == "nobody knows"


def test_gate_evidence_takes_the_smaller_overlap_of_the_two(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
) -> None:
    """A difference rests on both policies, so the floors apply to the weaker one."""
    sizes = [night[0].report(name, "dr").effective_sample_size for name in ("better", "worse")]
    assert gathered(night, "better", baseline="worse").effective_sample_size == min(s for s in sizes if s)


def test_gate_rejects_a_policy_that_is_refunded_more() -> None:
    """A better policy whose chosen action is the refunded one breaks the guardrail."""
    behavior = MDP.random_policy(1, sharpness=0.4)
    favorite = int(np.bincount(MDP.exact_q(behavior, gamma=0.9).argmax(axis=1)).argmax())
    found = gathered(evaluations(refunded=favorite), "better")
    verdict = judge(found, gate_rules(GATE, alpha=ALPHA))
    assert verdict.decision is Decision.REJECT
    assert [reason for reason in verdict.reasons if reason.startswith("Per episode, refunds")] == list(verdict.reasons)


@pytest.mark.parametrize(("limit", "decision"), [(0.9, Decision.PROMOTE), (0.05, Decision.REJECT)])
def test_gate_judges_a_fall_by_the_lower_bound(limit: float, decision: Decision) -> None:
    """A better policy that gives up a side metric passes only where the spec lets it fall so far."""
    behavior = MDP.random_policy(1, sharpness=0.4)
    worst = np.where(MDP.mask, MDP.exact_q(behavior, gamma=0.9), np.inf)
    night = evaluations(refunded=int(np.bincount(worst.argmin(axis=1)).argmax()))
    rail = Guardrail(metric="refunds", max_relative_decrease=limit)
    found = gathered(night, "better", gate=GATE.model_copy(update={"guardrails": (rail,)}))
    kept = found.guardrails[0]
    assert kept.relative_increase is not None and kept.lower_bound is not None and kept.upper_bound is not None
    assert -0.9 < kept.lower_bound < kept.relative_increase < kept.upper_bound < 0
    assert judge(found, gate_rules(GATE, alpha=ALPHA)).decision is decision


def test_gate_abstains_on_implied_decisions() -> None:
    """Nothing weighted is left, and the first reason says why."""
    night = evaluations(is_logged=False, propensity=np.nan)
    verdict = judge(gathered(night, "better", estimator="dm"), gate_rules(GATE, alpha=ALPHA))
    assert verdict.decision is Decision.ABSTAIN
    assert "implied" in verdict.reasons[0]


def test_gate_abstains_on_a_deterministic_log() -> None:
    """The estimator's refusal is the reason shown."""
    verdict = judge(gathered(evaluations(propensity=1.0), "better"), gate_rules(GATE, alpha=ALPHA))
    assert verdict.decision is Decision.ABSTAIN
    assert "deterministic" in verdict.reasons[0]


@pytest.mark.parametrize("missing", ["not evaluated", "never happened"])
def test_gate_abstains_on_a_guardrail_without_figures(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]], missing: str
) -> None:
    """A guardrail that can't be estimated is no guardrail that held."""
    metrics = {} if missing == "not evaluated" else evaluations(refunded=99)[1]
    verdict = judge(gathered((night[0], metrics), "better"), gate_rules(GATE, alpha=ALPHA))
    assert verdict.decision is Decision.ABSTAIN
    assert "refunds can't be estimated" in verdict.reasons[0]


@pytest.mark.parametrize("alpha", [0.0025, 0.06])
def test_the_reported_gain_is_at_the_reports_confidence_whatever_the_gate_s_level(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]], alpha: float
) -> None:
    """Two-sided, as values are reported, and no lower for the losses of other splits."""
    found = gate_evidence(
        *night, candidate="better", baseline=BEHAVIOR, estimator="dr", gate=GATE, alpha=alpha, unit_of_value="points"
    )
    losses = SplitLosses(shift=5.0, standard_error=1.0, n_units=5000, n_differing=5000.0)
    paired = difference(night[0].sums["better", "dr"], night[0].sums[BEHAVIOR, "dr"])
    (expected,) = reaching_intervals([paired], level=0.95, resampling=SETTINGS.resampling)
    assert reported_gain(with_losses(found, losses, night[0], alpha=alpha), night[0]) == expected


def test_the_reported_gain_is_as_wide_as_estimated_propensities_make_it(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
) -> None:
    """What they added to the error of the gate's difference widens this interval, too."""
    plain = gathered(night, "better")
    assert plain.difference is not None
    wide = replace(plain, difference=widened(plain.difference, 0.3))
    before, after = reported_gain(plain, night[0]), reported_gain(wide, night[0])
    assert before is not None and after is not None
    assert after.upper - after.value == pytest.approx(np.hypot(before.upper - before.value, 1.959964 * 0.3))


def test_no_gain_is_reported_where_the_gate_has_none(
    night: tuple[PolicyEvaluation, dict[str, PolicyEvaluation]],
) -> None:
    assert reported_gain(replace(gathered(night, "better"), difference=None), night[0]) is None
