from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from conf.observation_features import id_hash
from rl.errors import PolicyError
from rl.policy.served_model import ServedPolicy, _load_pyfunc
from tests.rl.policy.policies import make_observations, make_policy


def frame(n: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "session_step": range(n),
            "recent_shown_items": [[], [id_hash("a")], [id_hash("c"), id_hash("a"), id_hash("b")]][:n],
        }
    )


def test_predict_returns_one_decision_per_row(tmp_path: Path) -> None:
    """Action, its propensity, all probabilities and the version, as the policy itself would give them."""
    policy = make_policy()
    policy.save(tmp_path)
    found = _load_pyfunc(str(tmp_path)).predict(frame(), params={"seed": 3})
    assert list(found.columns) == ["action", "propensity", "probabilities", "policy_version"]
    for action, propensity, probabilities in zip(
        found["action"], found["propensity"], found["probabilities"], strict=True
    ):
        assert probabilities[action] == propensity
        assert sum(probabilities.values()) == pytest.approx(1)
    assert set(found["policy_version"]) == {policy.version}


def test_predict_pads_lists_and_takes_mappings() -> None:
    """A data frame with ragged lists and a mapping of padded arrays say the same."""
    served = ServedPolicy(make_policy())
    shown = np.array([[0, 0], [id_hash("a"), 0], [id_hash("c"), id_hash("a")]])
    columns = {"session_step": np.arange(3), "recent_shown_items": shown}
    pd.testing.assert_frame_equal(served.predict(frame(), {"seed": 1}), served.predict(columns, {"seed": 1}))


def test_predict_respects_availability() -> None:
    """Rows with a list choose from it, rows with null from all."""
    served = ServedPolicy(make_policy())
    available: Any = [["b"], None, float("nan")]
    given = frame().assign(available_actions=available)
    found = served.predict(given, {"seed": 0})
    assert found["action"][0] == "b"
    assert found["probabilities"][0] == {"b": 1.0}
    assert set(found["probabilities"][1]) == set(found["probabilities"][2]) == {"a", "b", "c"}


def test_predict_draws_anew_without_a_seed() -> None:
    """Exploration isn't the same sequence every time: 200 draws of a uniform policy don't repeat."""
    served = ServedPolicy(make_policy(exploration_floor=1.0))
    observations = make_observations(200)
    assert list(served.predict(observations)["action"]) != list(served.predict(observations)["action"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"session_step": [0.5, 1, 2]}, "session_step: got float64"),
        ({"session_step": ["x", "y", "z"]}, "session_step: got"),
        ({"recent_shown_items": [[], None, []]}, "recent_shown_items: row 1 is None"),
        ({"available_actions": ["a", None, None]}, "expected a list of natural keys"),
        ({"available_actions": [[], None, None]}, "1 of 3 rows have no available action"),
    ],
)
def test_predict_refuses_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    """Wrong columns are named, never guessed at."""
    with pytest.raises(PolicyError, match=message):
        ServedPolicy(make_policy()).predict(frame().assign(**change))


def test_predict_names_missing_columns() -> None:
    """All columns that a request lacks are named."""
    with pytest.raises(PolicyError, match="lack the columns session_step, recent_shown_items"):
        ServedPolicy(make_policy()).predict({"other": [1]})
