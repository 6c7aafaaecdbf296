"""Values of the log's own policy, solved for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conf.specs.candidate import CLOSED_FORM_ALGORITHMS, Candidate
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import TrainingError
from rl.learning.candidates import SeededCandidate
from rl.learning.replay.replay_columns import columns_of
from rl.learning.training import TrainingSettings, train_candidate
from rl.policy.resemblance_network import ResemblanceNetwork
from tests.rl.factories import make_logged_episodes
from tests.rl.policy.policies import make_vocabulary
from tests.rl.policy.resemblances import KEYS, encoder, observations

LETTERS = "abcd"


def log(n: int = 600, *, seed: int = 0) -> LoggedEpisodes:
    """Two steps: whoever is shown the item engaged with last clicks at once, others click twice, later."""
    generator = np.random.default_rng(seed)
    first, action = generator.integers(4, size=n), generator.integers(4, size=2 * n)
    stays = action[::2] == first
    reward = np.empty(2 * n)
    reward[::2], reward[1::2] = stays, np.where(stays, 0.0, 2.0)
    words = [LETTERS[one] for one in np.repeat(first, 2)]
    features = observations(["" for _ in words], words, [0, 1] * n)
    following = np.concatenate([features[1:], observations([""], [""], [2])])
    following[1::2] = observations([""], [""], [2])
    return make_logged_episodes(
        [2] * n,
        4,
        action=action.astype(np.int64),
        reward=reward,
        features=features,
        next_features=following,
    )


def trained(lookahead: float, **values: Any) -> ResemblanceNetwork:
    settings = TrainingSettings(
        discount=DiscountFunction(1.0),
        encoder=encoder(),
        action_attributes=encoder().action_attributes(make_vocabulary(*KEYS)),
    )
    found = train_candidate(seeded(lookahead=lookahead, **values), columns_of(log()), None, settings)
    assert isinstance(found.network, ResemblanceNetwork)
    assert (found.n_updates, [one.update for one in found.kept]) == (1, [1])
    return found.network


def seeded(**values: Any) -> SeededCandidate:
    content = {"algorithm": "resemblance", "seeds": [1], "n_updates": 1, "action_scores": "by_attributes"}
    return SeededCandidate("resemblance-1", Candidate.model_validate(content | values), 1)


@pytest.mark.parametrize("letter", range(4))
def test_the_next_reward_alone_repeats_and_a_look_ahead_does_not(letter: int) -> None:
    """The same item clicks now; another one brings twice that a step later."""
    now = observations([""], [LETTERS[letter]], [0])
    assert int(trained(0.0).forward(now).argmax()) == letter
    assert int(trained(1.0).forward(now).argmin()) == letter


def test_values_are_in_units_of_the_reward_scale() -> None:
    """Times the scale they are the clicks that follow, within .15, where the ridge hardly draws them to 0."""
    columns = columns_of(log())
    scale = float(columns.reward.std())
    now = observations([""], ["a"], [0])
    assert trained(1.0, ridge=0.1).forward(now)[0] * scale == pytest.approx([1.0, 2.0, 2.0, 2.0], abs=0.15)


def test_what_is_missing_is_said() -> None:
    """No encoder, no attributes, and a log whose episodes are all cut."""
    columns, settings = columns_of(log(20)), TrainingSettings(discount=DiscountFunction(1.0))
    with pytest.raises(TrainingError, match="give its encoder"):
        train_candidate(seeded(), columns, None, settings)
    with pytest.raises(TrainingError, match="nothing is known of the actions"):
        train_candidate(seeded(), columns, None, TrainingSettings(discount=DiscountFunction(1.0), encoder=encoder()))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"seeds": [1, 2]}, "seeds"),
        ({"n_updates": 100}, "n_updates: 100 .expected 1."),
        ({"ensemble": 3}, "ensemble"),
        ({"action_scores": "by_id"}, "action_scores: by_id"),
    ],
)
def test_a_spec_cannot_ask_for_what_changes_nothing(values: dict[str, Any], says: str) -> None:
    """Seeds, updates and networks beyond one would tell the same."""
    with pytest.raises(ValueError, match=says):
        seeded(**values)


def test_old_candidates_are_written_as_before() -> None:
    """A look ahead and a ridge stand with their own algorithm alone: hashes of other specs stay."""
    content = Candidate.model_validate({"algorithm": "bc", "seeds": [1], "n_updates": 10}).model_dump()
    assert not {"lookahead", "ridge"} & set(content)
    assert {"lookahead", "ridge"} == set(CLOSED_FORM_ALGORITHMS["resemblance"].parameters)
