"""A shop's rules where policies learn, are valued and serve: the same object, inside the model, in all three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from conf.specs.scenario import Candidate, Pipeline, load_pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import PolicyError
from rl.learning.algorithms.registry import ALGORITHMS
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.replay_columns import columns_of
from rl.learning.replay.ruled_rows import Ruling
from rl.learning.training import TrainedCandidate, TrainingSettings, train_candidate
from rl.ope.q_functions.fqe import FqeSettings, FqeTask, fit_fqe_together
from rl.ope.q_functions.next_probabilities import NextProbabilities
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities
from rl.policy import ObservationEncoder, StochasticPolicy, Vocabulary, load_policy
from rl.policy.action_rules import ActionRules, Eligibility
from rl.policy.aligned_policy import AlignedPolicy
from rl.policy.observation_encoder import ColumnEncoding
from rl.serving.decisions import DecisionMaker, DecisionRequest, PolicyInUse
from rl.serving.histories import Histories
from rl.serving.observation import SeenEvent
from tests.rl.factories import make_logged_episodes

KEYS = ("bread", "wine", "club")
WINE, CLUB = 1, 2
RULES = ActionRules(
    blocked=frozenset({"wine"}), eligibility=(Eligibility(frozenset({"club"}), "session_step", at_least=2),)
)
ENCODER = ObservationEncoder((ColumnEncoding("session_step", "count", mean=0.5, spread=1.0),))
VOCABULARY = Vocabulary(KEYS, tuple(id_hash(key) for key in KEYS), has_other=False)
N_STEPS, GAMMA = 4, 0.9


def encoded(steps: np.ndarray) -> np.ndarray:
    return ENCODER.encode({"session_step": np.asarray(steps, dtype=np.int64)})


def a_log(worth: Mapping[int, float], n_episodes: int = 200) -> LoggedEpisodes:
    """Sessions of `N_STEPS` decisions, uniform among all actions, each of which earns its worth."""
    generator = np.random.default_rng(0)
    action = generator.integers(0, len(KEYS), n_episodes * N_STEPS)
    steps = np.tile(np.arange(N_STEPS), n_episodes)
    return make_logged_episodes(
        [N_STEPS] * n_episodes,
        len(KEYS),
        features=encoded(steps),
        next_features=encoded(steps + 1),
        action=action,
        reward=np.array([worth[one] for one in action.tolist()], dtype=np.float64),
        propensity=np.full(len(action), 1 / 3),
    )


# What may not be chosen is worth more than all else: whoever looked at it would want it.
TEMPTING = a_log({0: 1.0, WINE: 50.0, CLUB: 0.5})
PLAIN = a_log({0: 1.0, WINE: 0.0, CLUB: 0.5})


def trained(algorithm: str, log: LoggedEpisodes, rules: ActionRules = RULES) -> TrainedCandidate:
    values: dict[str, Any] = {"n_updates": 60, "batch_size": 64, "hidden_units": (16,), "learning_rate": 1e-2}
    candidate = Candidate(algorithm=algorithm, seeds=(1,), **values)
    columns = columns_of(log, Ruling(rules, KEYS, ENCODER))
    settings = TrainingSettings(DiscountFunction(GAMMA))
    return train_candidate(SeededCandidate(f"{algorithm}-1", candidate, 1), columns, None, settings)


def a_policy(rules: ActionRules = RULES) -> StochasticPolicy:
    found = trained("discrete_cql", TEMPTING, rules)
    return StochasticPolicy(
        name="discrete_cql-1",
        network=found.network,
        encoder=ENCODER,
        vocabulary=VOCABULARY,
        output_scale=found.output_scale,
        temperature=1.0,
        exploration_floor=0.3,
        is_other_chosen=False,
        dataset_digest="d",
        rules=rules,
    )


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_blocked_action_is_not_trained_towards(algorithm: str) -> None:
    """Whatever it earned, every learner ends with the same weights, to the bit."""
    tempting, plain = (trained(algorithm, log).network.to_tensors() for log in (TEMPTING, PLAIN))
    assert all(np.array_equal(tempting[name], plain[name]) for name in plain)


def test_without_the_rules_it_would_be_trained_towards() -> None:
    """So the test above can fail: the same log, no rules, and the values are those of the blocked action."""
    free, ruled = (trained("discrete_cql", TEMPTING, rules) for rules in (ActionRules(), RULES))
    features = encoded(np.arange(2))
    assert (free.network.forward(features).argmax(axis=1) == WINE).all()
    assert free.reward_scale > 10 * ruled.reward_scale


def test_nothing_that_may_not_be_chosen_is_valued() -> None:
    """At logged actions, and at the next observations that fitted Q evaluation looks on to; so a value is untouched."""
    policy = a_policy()
    taken = logged_action_probabilities(policy, TEMPTING)
    steps = np.tile(np.arange(N_STEPS), TEMPTING.n_episodes)
    is_away = (TEMPTING.action == WINE) | ((TEMPTING.action == CLUB) & (steps < 2))
    assert (taken[is_away] == 0).all()
    assert (taken[~is_away] > 0).all()
    rows = np.flatnonzero(~TEMPTING.terminal)
    following = NextProbabilities(policy, TEMPTING, max_cells=10**6).at(rows)
    assert (following[:, WINE] == 0).all()
    assert (following[steps[rows] + 1 < 2, CLUB] == 0).all()
    assert (following[steps[rows] + 1 >= 2, CLUB] > 0).all()


def test_fitted_values_are_those_of_a_log_in_which_the_blocked_action_earned_nothing() -> None:
    """By the linear fit, whose actions hardly share here: to a hundredth of what one good decision earns."""
    policy = a_policy()
    values = []
    for log in (TEMPTING, PLAIN):
        task = FqeTask(policy, log)
        settings = FqeSettings(method="linear", ridge=1e-6)
        (fitted,) = fit_fqe_together([task], discount=DiscountFunction(GAMMA), steps=N_STEPS, settings=settings)
        features, mask = encoded(np.zeros(1)), np.ones((1, len(KEYS)), dtype=bool)
        values.append(float((fitted.q(features, mask) * policy.probabilities(features, mask)).sum()))
    assert values[0] == pytest.approx(values[1], abs=0.01)


class NoHistories:
    """Knows nobody."""

    def read(self, shoppers: Any) -> Histories:
        return Histories(None, [None] * len(shoppers))


def served(policy: StochasticPolicy, *, n: int, steps: int) -> set[str]:
    """Actions that a service without any rules of its own chooses for a session of so many impressions."""
    made = DecisionMaker(
        unruled_pipeline(),
        key=b"k",
        store=NoHistories(),
        rules=ActionRules(),
        max_age_days=2,
        generator=np.random.default_rng(0),
    )
    made.served = PolicyInUse.of(policy, 1)
    noon_us = 1_800_000_000_000_000
    seen = [
        SeenEvent("impression", noon_us - 1_000_000 * (9 - one), f"e{one}", "bread", None, "bread")
        for one in range(steps)
    ]
    asked = [DecisionRequest(f"shopper-{one}", noon_us, seen, KEYS) for one in range(n)]
    return {choice.action for decided in made.decide(asked) for choice in decided.choices}


def unruled_pipeline() -> Pipeline:
    return load_pipeline("recommendation", "simulated_shop")


def test_a_service_serves_by_the_rules_that_the_model_carries(tmp_path: Path) -> None:
    """From its files, without being told of them again."""
    a_policy().save(tmp_path)
    loaded = load_policy(tmp_path)
    assert loaded.rules == RULES
    assert served(loaded, n=300, steps=0) == {"bread"}
    assert served(loaded, n=300, steps=3) == {"bread", "club"}
    assert served(replace(loaded, rules=ActionRules()), n=300, steps=3) == set(KEYS)


def test_a_champion_of_another_vocabulary_keeps_its_rules() -> None:
    """Also about an action that it never knew."""
    policy = a_policy().with_rules(ActionRules(blocked=frozenset({"rum"})))
    newer = Vocabulary(("rum", *KEYS), tuple(id_hash(key) for key in ("rum", *KEYS)), has_other=False)
    found = AlignedPolicy(policy, newer).probabilities(encoded(np.array([0, 2])), np.ones((2, 4), dtype=bool))
    assert (found > 0).tolist() == [[False, True, False, False], [False, True, False, True]]


def test_rules_make_another_version_and_none_leave_it_as_it_was() -> None:
    free = a_policy(ActionRules())
    assert free.with_rules(ActionRules()) is free
    assert free.with_rules(RULES).version != free.version
    assert "rules" not in free._content()


def test_a_row_that_the_rules_leave_nothing_of_is_refused() -> None:
    mask = np.array([[True, True, False], [False, True, False]])
    with pytest.raises(PolicyError, match="1 of 2 rows have no action that the shop's rules leave, such as row 1"):
        a_policy().probabilities(encoded(np.zeros(2)), mask)


def test_eligibility_by_what_the_policy_is_not_told_is_refused() -> None:
    rules = ActionRules(eligibility=(Eligibility(frozenset({"club"}), "hour_of_day", at_least=2),))
    with pytest.raises(PolicyError, match=r"hour_of_day.*name one of these in rules\.eligibility"):
        a_policy().with_rules(rules)
