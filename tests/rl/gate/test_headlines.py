from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rl.gate.headlines import HEADLINES, LogFacts, empty_features, headlines
from rl.gate.rules import Decision, GateEvidence, GateRules, judge
from rl.gate.split_losses import SplitLosses
from rl.ope.intervals.intervals import Interval
from rl.ope.samples.ratio_balance import RatioBalance

ORDINARY = LogFacts(
    empty_features=(),
    n_features=18,
    n_decisions=40_000,
    n_other=0,
    n_actions=30,
    reward_events=41_835_000_000,
    reward_attributed=41_155_000_000,
    largest_shopper=0.004,
    smallest_propensity=0.01,
    n_test=10_000,
    uniform_weight=1.0,
)
ODD: list[tuple[dict[str, Any], str, bool]] = [
    ({"empty_features": ("hour", "price_band")}, "Empty on all rows: hour, price_band (2 of 18 features).", False),
    ({"empty_features": tuple("abcdefg"), "n_features": 7}, "Every feature is empty: a, b, c, d, e and 2 more", False),
    ({"n_other": 30_000}, "The policy knows the actions of 25% of the decisions only", False),
    ({"reward_attributed": 125_505_000}, "0.3% of what the log earned follows from a decision", True),
    ({"reward_attributed": 16_000_000_000}, "38.2% of what the log earned follows from a decision", False),
    ({"largest_shopper": 0.6}, "One shopper made 60% of the test decisions.", True),
    ({"largest_shopper": 0.3}, "One shopper made 30% of the test decisions.", False),
    ({"smallest_propensity": 1e-15}, "a decision made with a probability of 1e-15", True),
    ({"uniform_weight": 0.2}, "only 20% of what was available could have been shown", False),
    ({"hidden_reasons": 1.2, "mean_steps": 3.4}, "Never promotes: the log holds no probabilities", True),
]


def test_an_ordinary_log_has_no_headline() -> None:
    """Nobody reads warnings that are always there."""
    assert headlines(ORDINARY) == ()


@pytest.mark.parametrize(("odd", "said", "forbids"), ODD)
def test_an_odd_log_is_said_first(odd: dict[str, Any], said: str, forbids: bool) -> None:
    """One headline each, in words, with what it does to a promotion."""
    (found,) = headlines(replace(ORDINARY, **odd))
    assert said in found.text
    assert found.forbids_promotion is forbids


def test_every_headline_can_be_told() -> None:
    """No entry of the list is dead."""
    told = {headline for odd, _, _ in ODD for headline in HEADLINES if headline(replace(ORDINARY, **odd))}
    assert told == set(HEADLINES)


def test_facts_that_are_not_known_are_no_headline() -> None:
    """Without propensities or a ledger nothing is claimed."""
    unknown = replace(ORDINARY, smallest_propensity=None, uniform_weight=None, reward_events=0, reward_attributed=0)
    assert headlines(unknown) == ()


@pytest.mark.parametrize("facts", [{"hidden_reasons": 1.2, "mean_steps": 1.3}, {"mean_steps": 9.0}])
def test_short_episodes_and_logged_probabilities_may_promote(facts: dict[str, Any]) -> None:
    """A large gain of single decisions survives a hidden reason; logged probabilities know none, however long."""
    assert headlines(replace(ORDINARY, **facts)) == ()


def test_rare_but_possible_propensities_are_no_headline() -> None:
    """Among ten thousand decisions one of a ten-thousandth is to be expected."""
    assert headlines(replace(ORDINARY, smallest_propensity=1e-4)) == ()


def test_empty_features_hold_one_value_on_all_rows() -> None:
    """A list is empty where each of its places is; a single differing row fills a feature."""
    zeros, lists = np.zeros(4, np.int64), np.zeros((4, 3), np.int64)
    filled, filled_list = zeros.copy(), lists.copy()
    filled[3] = 1
    filled_list[2, 1] = 5
    found = empty_features({"none": zeros, "some": filled, "no_items": lists, "items": filled_list})
    assert found == ("none", "no_items")


def test_a_log_that_forbids_it_promotes_nothing() -> None:
    """The same evidence promotes without the headline; its sentence is the reason."""
    evidence = GateEvidence(
        candidate="cql-1",
        baseline="behavior",
        estimator="dr",
        unit_of_value="points",
        is_logged=True,
        difference=Interval(1.0, 0.5, 1.5, 0.99, "made up", 0.2),
        effective_sample_size=900.0,
        effective_rewarded=400.0,
        effective_differing=900.0,
        balances={"cql-1": RatioBalance(1.0, 0.01)},
        losses=SplitLosses(shift=0.0, standard_error=0.2, n_units=900, n_differing=900.0),
    )
    rules = GateRules(alpha=0.01, min_effective_sample_size=200, min_effective_rewarded=100)
    assert judge(evidence, rules).decision is Decision.PROMOTE
    verdict = judge(replace(evidence, withheld=("One shopper made 60% of the test decisions.",)), rules)
    assert (verdict.decision, verdict.spends_level) == (Decision.ABSTAIN, False)
    assert verdict.reasons == ("One shopper made 60% of the test decisions.",)
