from __future__ import annotations

import pytest

from rl.errors import TrainingError
from rl.learning.candidates import find_candidate, seeded_candidates
from tests.rl.factories import make_pipeline

ENTRY = {"algorithm": "bc", "seeds": [1, 2], "n_updates": 5}


def test_candidates_are_named_for_algorithm_and_seed() -> None:
    """The shipped scenario has behavior cloning and CQL, two seeds each."""
    assert list(seeded_candidates(make_pipeline().scenario)) == ["bc-1", "bc-2", "discrete_cql-1", "discrete_cql-2"]


def test_further_entries_of_an_algorithm_carry_their_place() -> None:
    """Two settings of one algorithm don't share names."""
    scenario = make_pipeline(candidates=[ENTRY, ENTRY | {"n_updates": 6}]).scenario
    assert list(seeded_candidates(scenario)) == ["bc-1", "bc-2", "bc.2-1", "bc.2-2"]
    assert find_candidate(scenario, "bc.2-1").candidate.n_updates == 6


def test_a_repeated_seed_is_refused() -> None:
    """One name stands for one training."""
    with pytest.raises(TrainingError, match="bc-1 stands twice"):
        seeded_candidates(make_pipeline(candidates=[ENTRY | {"seeds": [1, 1]}]).scenario)


def test_find_candidate_suggests_a_known_name() -> None:
    """A typo gets a suggestion."""
    with pytest.raises(TrainingError, match="did you mean 'discrete_cql-2'"):
        find_candidate(make_pipeline().scenario, "discrete_cql-3")
