"""A whole explanation on planted reasons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import UnsupportedEstimator
from rl.night.explanation.explain import ExplainedLog, Explanation, ExplanationSettings, explain_policy
from tests.rl.factories import make_logged_episodes
from tests.rl.night.explanation.planted import CATEGORIES, READ, planted_observations, planted_policy

N = 1800
SETTINGS = ExplanationSettings(n_attributed=200, n_imitated=1500, n_compared=1000)


def planted_log(**values: Any) -> ExplainedLog:
    """One-step episodes of a uniform log, three to a shopper, seen by the planted policy's encoder."""
    policy, observation = planted_policy(), planted_observations(N)
    features = policy.encode(observation)
    content = {"features": features, "next_features": features, "unit": np.arange(N) // 3}
    log: LoggedEpisodes = make_logged_episodes([1] * N, policy.n_actions, **(content | values))
    return ExplainedLog(log, log, observation, {id_hash(name): name for name in CATEGORIES})


@pytest.fixture(scope="module")
def explained() -> Explanation:
    return explain_policy(planted_policy(), planted_log(), is_logged=True, settings=SETTINGS)


def test_an_explanation_names_what_was_planted(explained: Explanation) -> None:
    """The two features that the network reads lead, and the attributions stand the test of removal."""
    assert {importance.feature for importance in explained.importances[:2]} == set(READ)
    assert explained.removal.is_faithful


def test_an_explanation_imitates_by_action_where_there_are_few(explained: Explanation) -> None:
    """Four actions are told by name, by a tree that asks about the planted features alone."""
    assert explained.imitation.kind == "action"
    tree = explained.imitation.tree
    assert tree is not None
    asked = {node.column.feature for node in tree.nodes if node.column is not None}
    assert asked <= set(READ)
    assert tree.fidelity.value > tree.majority.value


def test_an_explanation_looks_at_samples_only(explained: Explanation) -> None:
    """Each part takes as many decisions as its setting allows."""
    assert len(explained.rows) == 200
    tree = explained.imitation.tree
    assert tree is not None
    assert tree.n_grown + tree.n_held_out == 1500


def test_an_explanation_of_implied_decisions_says_that_there_is_nothing_to_depart_from() -> None:
    """Without a logging policy, attributions and tree remain and departures give their reason."""
    found = explain_policy(planted_policy(), planted_log(), is_logged=False, settings=SETTINGS)
    assert found.departures is None
    assert "implied" in str(found.departures_refusal)
    assert found.importances


def test_an_explanation_without_propensities_says_so() -> None:
    """Unknown propensities refuse the departures alone."""
    blind = planted_log(propensity=np.full(N, np.nan))
    found = explain_policy(planted_policy(), blind, is_logged=True, settings=SETTINGS)
    assert found.departures is None
    assert "no propensities" in str(found.departures_refusal)


def test_the_same_seed_explains_the_same(explained: Explanation) -> None:
    """Samples, tree and random removals are fixed by the seed."""
    again = explain_policy(planted_policy(), planted_log(), is_logged=True, settings=SETTINGS)
    assert again.importances == explained.importances
    assert again.removal == explained.removal
    assert again.imitation == explained.imitation
    assert again.departures == explained.departures


def test_decisions_without_a_choice_have_no_explanation() -> None:
    """Where one action is available, nothing was chosen."""
    alone = planted_log(availability=np.eye(4, dtype=bool)[:1], action=np.zeros(N, dtype=np.int64))
    with pytest.raises(UnsupportedEstimator, match="leaves a choice"):
        explain_policy(planted_policy(), alone, is_logged=True, settings=SETTINGS)
