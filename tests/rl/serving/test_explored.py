"""Decisions under an exploration plan: propensities, groups, rules, and who is never explored."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from rl.figures.exploration import ExplorationPlan
from rl.policy.action_rules import ActionRules
from rl.rollout.assignment import is_control
from rl.serving.decide import FALLBACK_VERSION, ChosenAction, offer_of
from rl.serving.decisions import DecisionMaker, PolicyInUse, SharedOut
from rl.serving.explored import Explored, choose_explored
from tests.rl.policy.policies import make_observations, make_policy
from tests.rl.serving.test_decisions import KEY, POLICY, TODAY, FixedStore, a_pipeline, asked, maker

OTHER = make_policy("c", "d", "a", name="other-1", has_other=True, exploration_floor=0.2, seed=9)
N = 20_000


def a_plan(**over: Any) -> ExplorationPlan:
    content = {
        "model": "recommendation-policy",
        "version": 5,
        "champion": 3,
        "dimension": "all shoppers",
        "shares": {"all shoppers": 0.3},
        "last_day": TODAY,
    }
    return ExplorationPlan(**(content | over))


def explored(max_share: float = 0.5, **over: Any) -> Explored:
    return Explored.of(a_plan(**over), OTHER, max_share)


def exploring(plan: Explored, **given: Any) -> DecisionMaker:
    made = maker(**given)
    made.explored = plan
    return made


def decisions(made: DecisionMaker, n: int = 400, **given: Any) -> list[ChosenAction]:
    found = made.decide([asked(f"shopper {number}", **given) for number in range(n)])
    return [choice for one in found for choice in one.choices]


def mixed(share: float, n: int = N) -> list[tuple[ChosenAction, bool]]:
    observations = {name: values[:1] for name, values in make_observations().items()}
    offers = [
        offer_of(("a", "b", "c", "d"), {key: place for place, key in enumerate(one.vocabulary.keys)})
        for one in (POLICY, OTHER)
    ]
    generator = np.random.default_rng(4)
    allowed = np.array([True, True, True, False])
    found = [
        choose_explored(
            (POLICY, POLICY.encode(observations)),
            (OTHER, OTHER.encode(observations)),
            offers=(offers[0], offers[1]),
            allowed=allowed,
            share=share,
            generator=generator,
        )
        for _ in range(n)
    ]
    return [one for one in found if one is not None]


def test_the_logged_propensity_is_the_marginal_of_the_mixture() -> None:
    """Actions come as often as told, whichever of both policies they were drawn for."""
    found = mixed(0.3)
    counts, told = Counter(choice.action for choice, _ in found), {c.action: c.propensity for c, _ in found}
    assert set(counts) == {"a", "b", "c"}
    assert sum(told.values()) == pytest.approx(1.0, abs=1e-12)
    for action, n in counts.items():
        assert n / N == pytest.approx(told[action], abs=4 * 0.5 / N**0.5)


def test_as_many_decisions_count_as_explored_as_the_share_and_the_floor_draw() -> None:
    for share in (0.0, 0.3):
        n_explored = sum(is_explored for _, is_explored in mixed(share))
        expected = share + (1 - share) * POLICY.exploration_floor
        assert n_explored / N == pytest.approx(expected, abs=4 * 0.5 / N**0.5)


def test_without_a_share_the_mixture_is_the_champion() -> None:
    alone = {choice.action: choice.propensity for choice, _ in mixed(0.0)}
    beside = {choice.action: choice.propensity for choice, _ in mixed(0.3)}
    assert alone != beside
    assert sum(alone.values()) == pytest.approx(1.0, abs=1e-12)


def test_decisions_of_a_plan_have_their_own_version_in_the_log() -> None:
    """Nobody who asks for the champion's decisions finds those that it did not make alone."""
    plan = explored()
    found = decisions(exploring(plan))
    assert {choice.policy_version for choice in found} == {plan.version_beside(POLICY)}
    assert {choice.group for choice in found} == {"champion", "exploration"}
    assert plan.version_beside(POLICY) != explored(shares={"all shoppers": 0.2}).version_beside(POLICY)


def test_a_plan_ends_after_its_last_day() -> None:
    over = explored(last_day=TODAY - timedelta(days=1))
    assert {choice.policy_version for choice in decisions(exploring(over))} == {POLICY.version}


def test_another_champion_voids_the_plan() -> None:
    made = exploring(explored(champion=2))
    assert {choice.policy_version for choice in decisions(made)} == {POLICY.version}


def test_opted_out_shoppers_are_never_explored() -> None:
    found = decisions(exploring(explored()), is_opted_out=True)
    assert {choice.policy_version for choice in found} == {FALLBACK_VERSION}
    assert {choice.group for choice in found} == {"fallback"}


def test_shoppers_held_out_are_never_explored() -> None:
    made = exploring(explored(), pipeline=a_pipeline(holdout=0.5))
    made.control = PolicyInUse.of(POLICY, 2)
    found = made.decide([asked(f"shopper {number}") for number in range(200)])
    for one in found:
        held_out = is_control(one.asked.shopper, KEY, scenario="recommendation", share=0.5)
        assert (one.choices[0].policy_version == POLICY.version) == held_out
        assert (one.choices[0].group == "control") == held_out


def test_a_plan_rests_while_a_version_is_rolled_out() -> None:
    made = exploring(explored())
    made.shared_out = SharedOut(0.5, PolicyInUse.of(make_policy("a", "b", "c", has_other=True, seed=3), 2))
    assert explored().version_beside(POLICY) not in {choice.policy_version for choice in decisions(made)}


def test_while_the_service_is_off_nothing_is_explored() -> None:
    made = exploring(explored())
    made.served = None
    assert {choice.group for choice in decisions(made)} == {"fallback"}


def test_rules_of_the_shop_and_of_the_plans_version_hold_for_explored_decisions() -> None:
    blocked = ActionRules(blocked=frozenset({"c"}))
    by_shop = decisions(exploring(explored(), rules=blocked))
    own = Explored.of(a_plan(), OTHER.with_rules(blocked), 0.5)
    for found in (by_shop, decisions(exploring(own))):
        assert {choice.action for choice in found} == {"a", "b"}
        assert min(choice.propensity for choice in found) >= POLICY.exploration_floor / 3 * 0.7


def test_positions_of_a_slate_are_explored_one_after_another() -> None:
    made = exploring(explored())
    for one in made.decide([asked(f"shopper {number}", n_positions=3) for number in range(50)]):
        assert sorted(choice.action for choice in one.choices) == ["a", "b", "c"]
        assert one.choices[-1].propensity == 1.0


def test_no_share_exceeds_what_the_spec_allows() -> None:
    observation = {"n_past_purchases": np.zeros(1, dtype=np.int64)}
    assert explored(0.1).shares(observation, 1).tolist() == [0.1]
    assert explored(0.5).shares(observation, 1).tolist() == [0.3]


def test_strata_are_explored_by_their_own_shares() -> None:
    """A shopper without history is new; the known one came before, and has another share."""
    shares = {"new shopper": 0.5, "returning shopper": 0.0}
    plan = explored(dimension="new or returning", shares=shares)
    made = exploring(plan, store=FixedStore(known=["ann"]))
    new, known = (made.decide([asked(who) for _ in range(300)]) for who in ("bob", "ann"))
    n_explored = [sum(c.choices[0].group == "exploration" for c in found) / 300 for found in (new, known)]
    assert n_explored[0] > 0.4
    assert n_explored[1] < 0.3


def test_a_plan_is_dated() -> None:
    assert explored(last_day=date(2026, 1, 1)).is_over(date(2026, 1, 2))
    assert not explored(last_day=date(2026, 1, 2)).is_over(date(2026, 1, 2))
