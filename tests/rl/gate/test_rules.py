from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from rl.gate.rules import Decision, GateEvidence, GateRules, GuardrailEvidence, judge
from rl.gate.split_losses import SplitLosses
from rl.ope.intervals.intervals import Interval
from rl.ope.intervals.tails import TailReport
from rl.ope.propensities.trust import ESTIMATED, LOGGED
from rl.ope.samples.ratio_balance import RatioBalance

RULES = GateRules(alpha=0.011, min_effective_sample_size=200, min_effective_rewarded=100)


def interval(value: float, lower: float) -> Interval:
    return Interval(value, lower, 2 * value - lower, 0.978, "test", 0.1)


def refunds(**overrides: Any) -> GuardrailEvidence:
    fields = {"metric": "refunds", "max_relative_increase": 0.5, "relative_increase": 0.1, "upper_bound": 0.3}
    return GuardrailEvidence(**{**fields, **overrides})


def clicks(**overrides: Any) -> GuardrailEvidence:
    """A guardrail on a metric that may not fall by more than a twentieth."""
    fields = {
        "metric": "clicks",
        "max_relative_decrease": 0.05,
        "relative_increase": 0.01,
        "lower_bound": -0.03,
        "upper_bound": 0.9,
    }
    return GuardrailEvidence(**{**fields, **overrides})


def evidence(**overrides: Any) -> GateEvidence:
    """Evidence that is promoted unless a field says otherwise."""
    fields: dict[str, Any] = {
        "candidate": "discrete_cql-1",
        "baseline": "champion 3",
        "estimator": "dr",
        "unit_of_value": "points",
        "is_logged": True,
        "difference": interval(0.4, 0.1),
        "effective_sample_size": 900.0,
        "effective_rewarded": 300.0,
        "effective_differing": 400.0,
        "balances": {"discrete_cql-1": RatioBalance(1.003, 0.004), "champion 3": RatioBalance(0.99, 0.004)},
        "guardrails": (refunds(),),
        "losses": SplitLosses(shift=0.0, standard_error=0.1, n_units=900, n_differing=700.0),
    }
    return GateEvidence(**{**fields, **overrides})


def balance(mean: float, error: float) -> dict[str, RatioBalance]:
    return {"discrete_cql-1": RatioBalance(mean, error)}


@pytest.mark.parametrize(
    ("overrides", "decision", "first_reason"),
    [
        ({}, Decision.PROMOTE, "earns more"),
        ({"guardrails": ()}, Decision.PROMOTE, "earns more"),
        ({"effective_sample_size": 200.0, "effective_rewarded": 100.0}, Decision.PROMOTE, "earns more"),
        ({"difference": interval(0.4, 0.0)}, Decision.REJECT, "not shown to earn more"),
        ({"difference": interval(-0.4, -0.9)}, Decision.REJECT, "not shown to earn more"),
        ({"guardrails": (refunds(upper_bound=0.51),)}, Decision.REJECT, "Per episode, refunds"),
        ({"guardrails": (refunds(upper_bound=math.inf),)}, Decision.REJECT, "any amount"),
        (
            {"guardrails": (refunds(), refunds(metric="returns", upper_bound=9.0))},
            Decision.REJECT,
            "Per episode, returns",
        ),
        ({"guardrails": (clicks(),)}, Decision.PROMOTE, "earns more"),
        ({"guardrails": (clicks(lower_bound=-0.05),)}, Decision.PROMOTE, "earns more"),
        ({"guardrails": (clicks(lower_bound=-0.051),)}, Decision.REJECT, "may fall by 5.1%; the limit is -5%"),
        ({"guardrails": (clicks(lower_bound=-math.inf),)}, Decision.REJECT, "may fall by any amount"),
        ({"guardrails": (clicks(lower_bound=math.nan),)}, Decision.ABSTAIN, "can't be estimated"),
        ({"guardrails": (clicks(lower_bound=None),)}, Decision.ABSTAIN, "no bound came out"),
        ({"is_logged": False}, Decision.ABSTAIN, "does not record"),
        ({"difference": None, "refusal": "the log is deterministic"}, Decision.ABSTAIN, "deterministic"),
        ({"difference": None}, Decision.ABSTAIN, "no finite difference"),
        ({"difference": interval(0.4, math.nan)}, Decision.ABSTAIN, "no finite difference"),
        ({"difference": interval(math.inf, 0.1)}, Decision.ABSTAIN, "no finite difference"),
        ({"estimator": "dm"}, Decision.ABSTAIN, "prediction"),
        ({"effective_sample_size": 199.9}, Decision.ABSTAIN, "too few"),
        ({"effective_differing": 199.9}, Decision.ABSTAIN, "make differently: too few"),
        ({"effective_differing": None}, Decision.ABSTAIN, "make differently is unknown"),
        ({"effective_differing": 0.0, "difference": interval(0.0, 0.0)}, Decision.REJECT, "not shown to earn more"),
        ({"balances": balance(0.6, 0.01)}, Decision.ABSTAIN, "About 40% of what discrete_cql-1 would do"),
        ({"balances": balance(1.2, 0.04)}, Decision.ABSTAIN, "too small for what discrete_cql-1 would do"),
        ({"balances": balance(0.97, 0.01)}, Decision.PROMOTE, "earns more"),
        ({"balances": balance(0.98, 0.004)}, Decision.ABSTAIN, "About 2%"),
        ({"balances": balance(0.98, 0.004), "propensities": ESTIMATED}, Decision.PROMOTE, "earns more"),
        ({"balances": {"discrete_cql-1": None}}, Decision.ABSTAIN, "covers the policy's decisions is unknown"),
        ({"propensities": replace(LOGGED, problem="they are percentages")}, Decision.ABSTAIN, "they are percentages"),
        ({"effective_rewarded": 99.9}, Decision.ABSTAIN, "too few"),
        ({"effective_rewarded": math.nan}, Decision.ABSTAIN, "too few"),
        ({"effective_sample_size": None}, Decision.ABSTAIN, "unknown"),
        ({"guardrails": (refunds(upper_bound=None, refusal="the log holds none"),)}, Decision.ABSTAIN, "holds none"),
        ({"guardrails": (refunds(upper_bound=math.nan),)}, Decision.ABSTAIN, "can't be estimated"),
    ],
)
def test_judge_follows_the_truth_table(overrides: dict[str, Any], decision: Decision, first_reason: str) -> None:
    """Each finding alone turns promotable evidence into the decision it must lead to, and is the reason given."""
    verdict = judge(evidence(**overrides), RULES)
    assert verdict.decision is decision
    assert first_reason in verdict.reasons[0]


def test_judge_says_first_that_decisions_are_implied() -> None:
    """Whatever else is wrong or right, an implied log abstains, with that as the first reason."""
    everything_wrong = evidence(
        is_logged=False, difference=None, refusal="no propensities", effective_sample_size=None, estimator="dm"
    )
    for found in (everything_wrong, evidence(is_logged=False)):
        verdict = judge(found, RULES)
        assert verdict.decision is Decision.ABSTAIN
        assert verdict.reasons[0].startswith("The log does not record what was shown")


def test_judge_abstains_before_it_rejects() -> None:
    """Too few shoppers make a negative difference no evidence against the candidate."""
    verdict = judge(evidence(effective_sample_size=3.0, difference=interval(-1.0, -2.0)), RULES)
    assert verdict.decision is Decision.ABSTAIN
    assert len(verdict.reasons) == 1


def test_judge_gives_all_reasons_of_the_decision_at_once() -> None:
    """Both floors missed are two reasons; both ways to fail are two reasons."""
    assert len(judge(evidence(effective_sample_size=3.0, effective_rewarded=2.0), RULES).reasons) == 2
    both = judge(evidence(difference=interval(0.1, -0.1), guardrails=(refunds(upper_bound=2.0),)), RULES)
    assert (both.decision, len(both.reasons)) == (Decision.REJECT, 2)


def test_judge_promotes_only_what_passed_every_check() -> None:
    """A promotion has no failed and no unasked question."""
    assert all(check.is_passed is True for check in judge(evidence(), RULES).checks)


def test_reasons_name_figures_and_limits() -> None:
    """A reader sees what was found, against what, in the shop's unit."""
    promoted = judge(evidence(), RULES).reasons[0]
    assert "+0.4 points per episode against champion 3" in promoted
    assert "+0.1" in promoted
    assert "1.10%" in promoted
    poor = judge(evidence(effective_rewarded=42.0), RULES).reasons[0]
    assert "effectively 42 rewarded shoppers" in poor
    assert "at least 100" in poor
    risky = judge(evidence(guardrails=(refunds(relative_increase=0.2, upper_bound=0.9),)), RULES).reasons[0]
    assert "+20%" in risky
    assert "+90%" in risky
    assert "+50%" in risky


def test_a_metric_may_be_limited_both_ways() -> None:
    """Rise and fall of one metric are two questions with names of their own, each with its sentence."""
    both = (clicks(), refunds(metric="clicks"))
    verdict = judge(evidence(guardrails=both), RULES)
    names = [check.name for check in verdict.checks]
    assert len(set(names)) == len(names)
    assert "Per episode, clicks change by +1%, at worst -3%; a fall of up to 5% is allowed." in verdict.reasons
    assert "Per episode, clicks change by +10%, at most +30%; a rise of up to 50% is allowed." in verdict.reasons


def test_verdict_is_json() -> None:
    """The verdict survives a round trip as plain values."""
    for found in (evidence(), evidence(is_logged=False), evidence(guardrails=(refunds(upper_bound=math.inf),))):
        verdict = judge(found, RULES)
        loaded = json.loads(json.dumps(verdict.to_json(), allow_nan=False))
        assert loaded["decision"] == verdict.decision.value
        assert loaded["reasons"] == list(verdict.reasons)
        assert loaded["checks"][0] == {
            "name": "decisions_are_logged",
            "is_passed": found.is_logged,
            "if_failed": "abstain",
            "sentence": verdict.checks[0].sentence,
            "reads_rewards": False,
        }


def test_judge_is_not_moved_by_the_estimated_value_alone() -> None:
    """The lower bound decides: a large gain with a bound below zero is rejected, a small sure one promoted."""
    assert judge(evidence(difference=interval(50.0, -0.1)), RULES).decision is Decision.REJECT
    assert judge(replace(evidence(), difference=interval(0.01, 0.001)), RULES).decision is Decision.PROMOTE


def test_sentences_name_the_unit_of_the_evidence() -> None:
    """Where products are resampled, no sentence about units speaks of shoppers."""
    for overrides in ({}, {"effective_differing": 0.0}, {"losses": None}, {"effective_sample_size": None}):
        found = judge(evidence(units="products", **overrides), RULES)
        sentences = [check.sentence for check in found.checks]
        assert not any("shopper" in sentence for sentence in sentences)
        assert sum("products" in sentence for sentence in sentences) == 4


def test_the_index_of_a_tail_decides_nothing() -> None:
    """On logs of one kind it lies anywhere from .4 to .8, so a verdict by it would be chance."""
    heavy = TailReport(n_units=4000, n_tail=190, tail_index=1.1, largest_share=0.31, top_percent_share=0.6)
    assert judge(evidence(tail=heavy), RULES).decision is Decision.PROMOTE


def test_a_bound_on_the_harmless_side_is_not_called_a_fall() -> None:
    """Clicks that rise even at worst are no worse than a fall that is allowed."""
    verdict = judge(evidence(guardrails=(clicks(relative_increase=0.12, lower_bound=0.0912),)), RULES)
    said = "Per episode, clicks change by +12%, up even at worst +9.12%; a fall of up to 5% is allowed."
    assert said in verdict.reasons
    falling = judge(evidence(guardrails=(refunds(relative_increase=-0.3, upper_bound=-0.1),)), RULES)
    assert any("down even at most -10%; a rise of up to 50% is allowed" in reason for reason in falling.reasons)


def test_of_two_waits_the_longer_counts() -> None:
    """Said once, after the last of them; a single one needs no comparison."""
    short = {"effective_sample_size": 160.0, "effective_rewarded": 80.0, "n_days": 28.0}
    reasons = judge(evidence(**short), RULES).reasons
    assert [reason.endswith("of such a log would bring them.") for reason in reasons[:2]] == [True, True]
    assert reasons[2] == "Each of these floors must be reached: the longest wait counts."
    alone = judge(evidence(effective_sample_size=160.0, n_days=28.0), RULES).reasons
    assert not any("longest wait" in reason for reason in alone)


@pytest.mark.parametrize(
    ("observed", "n_days", "said"),
    [
        (160.0, 28.0, " About 7 more nights of such a log would bring them."),
        (199.0, 28.0, " About 1 more night of such a log would bring them."),
        (10.0, 28.0, " A year more of such a log would not bring them."),
        (160.0, 0.5, "are required)."),
        (160.0, None, "are required)."),
    ],
)
def test_a_floor_says_what_it_costs_in_nights(observed: float, n_days: float | None, said: str) -> None:
    """Effective shoppers grow as the log does; a log of one moment says nothing of nights."""
    verdict = judge(evidence(effective_differing=observed, n_days=n_days), RULES)
    assert verdict.decision is Decision.ABSTAIN
    assert verdict.reasons[0].endswith(said)
    enough = judge(evidence(n_days=n_days), RULES)
    assert not any("more night" in check.sentence for check in enough.checks)


@pytest.mark.parametrize(
    ("overrides", "decision", "sentence"),
    [
        ({"survived": 1.1}, Decision.ABSTAIN, "makes a choice 1.10 times as likely (in odds) would undo the gain"),
        ({"survived": None}, Decision.ABSTAIN, "Whether a hidden reason behind the logged choices could undo"),
        ({"survived": 1.3}, Decision.PROMOTE, "The gain survives hidden reasons"),
        ({"survived": math.inf}, Decision.PROMOTE, "The gain survives hidden reasons"),
        ({"survived": 1.1, "propensities": LOGGED}, Decision.PROMOTE, "The shop logged its probabilities"),
        ({"survived": None, "difference": interval(0.4, -0.1)}, Decision.REJECT, "There is no gain"),
    ],
)
def test_a_gain_by_estimated_probabilities_survives_hidden_reasons(
    overrides: dict[str, Any], decision: Decision, sentence: str
) -> None:
    """Of the strength that the spec states; where the shop logged its probabilities there are none."""
    rules = replace(RULES, hidden_reasons=1.2)
    verdict = judge(evidence(**{"propensities": ESTIMATED, **overrides}), rules)
    assert verdict.decision is decision
    (check,) = [check for check in verdict.checks if check.name == "survives_hidden_reasons"]
    assert sentence in check.sentence
    declared = judge(evidence(**{"propensities": ESTIMATED, **overrides}), RULES)
    assert declared.decision is (Decision.REJECT if "difference" in overrides else Decision.PROMOTE)


def test_judge_abstains_where_losses_of_other_splits_are_unknown() -> None:
    """The test split alone may lack the few that cost most; the reason says what kept the others from being counted."""
    verdict = judge(evidence(losses=None, losses_refusal="the log holds no propensities"), RULES)
    assert verdict.decision is Decision.ABSTAIN
    assert "unknown: the log holds no propensities." in verdict.reasons[0]
    rejected = judge(evidence(losses=None, difference=interval(0.4, -0.1)), RULES)
    assert rejected.decision is Decision.REJECT


@pytest.mark.parametrize(
    ("overrides", "spends"),
    [
        ({}, True),
        ({"difference": interval(0.4, -0.1)}, True),
        ({"guardrails": (refunds(upper_bound=9.0),)}, True),
        ({"effective_rewarded": 10.0}, True),
        ({"effective_rewarded": None}, True),
        ({"effective_sample_size": 10.0}, False),
        ({"effective_differing": 10.0}, False),
        ({"balances": {"discrete_cql-1": RatioBalance(0.5, 0.01)}}, False),
        ({"is_logged": False}, False),
    ],
)
def test_a_look_spends_its_level_unless_weights_kept_it_back(overrides: dict[str, Any], spends: bool) -> None:
    """What was earned may have decided whether the gate abstained; weights may not have known."""
    verdict = judge(evidence(**overrides), RULES)
    assert verdict.spends_level is spends
    assert verdict.to_json()["spends_level"] is spends
