"""What the bench tells SARDINE's shoppers is what the pipeline observed of them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conf.observation_features import id_hash
from rl.policy import ObservationEncoder
from rl.policy.attribute_network import AttributeNetwork
from rl.policy.item_attributes import AttributeEncoding, ItemAttributes, encoded_items
from rl.policy.network import DenseNetwork
from rl.policy.observation_encoder import ColumnEncoding
from tests.bench.outside.sardine_shop import (
    N_STEPS,
    NONE,
    Sessions,
    behavior,
    item_id,
    observations,
    policy_chooser,
    repeating,
    write_log,
)
from tests.rl.policy.policies import make_policy, make_vocabulary

N_ITEMS = 4
COUNTS = ("session_step", "n_session_clicks", "n_decisions_since_engagement", "n_engaged_in_a_row")


class ShopperOfItem:
    """Clicks on one item alone; what SARDINE's environments have, of that simple a shopper."""

    num_items = N_ITEMS
    item_embedd = np.eye(N_ITEMS)

    def __init__(self, liked: int) -> None:
        self.liked = liked

    def step(self, slate: Any) -> tuple[None, float, bool, bool, dict[str, Any]]:
        return None, 0.0, False, False, {"clicks": [int(slate[0] == self.liked)]}


def sessions(*liked: int, first: int = NONE) -> Sessions:
    return Sessions([ShopperOfItem(one) for one in liked], np.full(len(liked), first, dtype=np.int64))


def policy(**values: Any) -> Any:
    """One that observes what the scenario does of SARDINE's shoppers, and scores four items by an attribute."""
    keys = [item_id(number) for number in range(N_ITEMS)]
    encodings = (AttributeEncoding("x", "number"),)
    raw: list[dict[str, Any]] = [{"x": number} for number in range(N_ITEMS)]
    items = ItemAttributes(encodings, tuple(map(id_hash, keys)), encoded_items(encodings, raw))
    columns = (
        ColumnEncoding("recent_shown_items", "attributes", length=2),
        ColumnEncoding("recent_engaged_items", "attributes", length=3),
        *(ColumnEncoding(name, "count") for name in COUNTS),
        ColumnEncoding("seconds_since_previous_event", "count", has_missing=True),
    )
    encoder, vocabulary = ObservationEncoder(columns, items=items), make_vocabulary(*keys)
    generator = np.random.default_rng(0)

    def layers(n_in: int, n_out: int) -> DenseNetwork:
        return DenseNetwork((generator.normal(size=(n_out, n_in)).astype(np.float32),), (np.zeros(n_out, np.float32),))

    attributes = encoder.action_attributes(vocabulary)
    assert attributes is not None
    network = AttributeNetwork(layers(encoder.n_features, 3), layers(items.width, 4), attributes)
    return make_policy(*keys, encoder=encoder, network=network, **values)


def test_observations_are_those_of_the_kernel() -> None:
    """Most recent first, clicks before the first step among them; seconds tell whether the last step was clicked."""
    played = sessions(1, 2, first=3)
    for items in ([1, 1], [0, 2], [1, 0]):
        played.show(np.array(items, dtype=np.int64))
    found = observations(played, policy())

    def hashes(*numbers: int) -> list[int]:
        return [0 if number == NONE else id_hash(item_id(number)) for number in numbers]

    assert found["recent_shown_items"].tolist() == [hashes(1, 0), hashes(0, 2)]
    assert found["recent_engaged_items"].tolist() == [hashes(1, 1, 3), hashes(2, 3, NONE)]
    assert found["session_step"].tolist() == [3, 3]
    assert found["n_session_clicks"].tolist() == [3, 2]
    assert found["seconds_since_previous_event"].tolist() == [8, 10]
    assert found["n_decisions_since_engagement"].tolist() == [0, 1]
    assert found["n_engaged_in_a_row"].tolist() == [1, 0]
    assert played.last_clicked.tolist() == [1, 2]


@pytest.mark.parametrize(("first", "since"), [(NONE, -1), (2, 10)])
def test_first_decision_knows_what_was_clicked_before_it(first: int, since: int) -> None:
    """Nothing, or the click of ten seconds ago."""
    found = observations(sessions(0, first=first), policy())
    assert found["seconds_since_previous_event"].tolist() == [since]
    assert not found["recent_shown_items"].any()


def test_propensities_are_the_shares_of_choices() -> None:
    """Of the item clicked last and of any other, within five standard errors of 20,000 draws."""
    played = sessions(*([1] * 20_000), first=2)
    items, propensity = behavior(played, np.random.default_rng(3))
    assert set(np.round(propensity[items == 2], 12)) == {0.85}
    assert set(np.round(propensity[items != 2], 12)) == {0.05}
    assert abs((items == 2).mean() - 0.85) < 5 * np.sqrt(0.85 * 0.15 / 20_000)
    fresh, uniform = repeating(0.8)(sessions(1, 1), np.random.default_rng(0))
    assert uniform.tolist() == [0.25, 0.25]
    assert ((fresh >= 0) & (fresh < N_ITEMS)).all()


def test_policy_files_choose_among_the_catalogue() -> None:
    """By its own probabilities."""
    items, propensity = policy_chooser(policy(), N_ITEMS)(sessions(0, 1, 2), np.random.default_rng(0))
    chances = policy().probabilities(
        policy().encode(observations(sessions(0, 1, 2), policy())), np.ones((3, N_ITEMS), dtype=bool)
    )
    assert np.array_equal(propensity, chances[np.arange(3), items])


def test_log_holds_every_decision_and_click(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred decisions a session, their clicks linked to them, and each item with its attributes."""
    made = sessions(1, 2, first=3)
    monkeypatch.setattr(Sessions, "begun", lambda *_, **__: made)
    told = write_log(tmp_path, seed=5, n_sessions=2, day=date(2026, 3, 2))
    events = [json.loads(line) for line in (tmp_path / "2026-03-02" / "events.jsonl").read_text().splitlines()]
    shown = [one for one in events if one["event_type"] == "impression"]
    clicks = [one for one in events if one["event_type"] == "click"]
    assert len(shown) == 2 * N_STEPS == told["n_decisions"]
    assert len(clicks) == made.returns.sum() == round(2 * told["value"])
    assert {one["decision_id"] for one in clicks} < {one["decision_id"] for one in shown}
    assert sum(one["event_type"] == "view" for one in events) == 2
    items = [json.loads(line) for line in (tmp_path / "2026-03-02" / "items.jsonl").read_text().splitlines()]
    assert [one["item_id"] for one in items] == [item_id(number) for number in range(N_ITEMS)]
    assert items[2]["topic_2"] == 1.0
