"""The true values beside a shop's logs are those of its fixed policies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from rl.shops.promotion.fixed_policies import fixed_policies, nobody_policy
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.true_value import Measure, true_policy_value
from rl.shops.promotion.true_values import judged_weeks, true_values, write_true_values

SETTINGS = PromotionSettings(n_weeks=4)


def test_file_holds_every_measure_of_every_policy(tmp_path: Path) -> None:
    """Each fixed policy has each measure with its error, and the gain over the behavior policy."""
    write_true_values(tmp_path, SETTINGS)
    found = json.loads((tmp_path / "true_values.json").read_text())
    assert set(found["policies"]) == set(fixed_policies(SETTINGS))
    for measures in found["policies"].values():
        assert set(measures) == {*get_args(Measure), "gain_over_behavior"}
        assert all(set(value) == {"value", "standard_error"} for value in measures.values())
    assert found["policies"]["behavior"]["gain_over_behavior"]["value"] == 0


def test_values_are_the_truth_of_the_weeks_named() -> None:
    """Played again, a policy has the value that the file says, in the weeks that it says."""
    found = true_values(SETTINGS, n_shoppers=300, seed=4)
    assert (found["lead_weeks"], found["n_weeks"]) == judged_weeks(SETTINGS) == (1, 3)
    again = true_policy_value(SETTINGS, nobody_policy(), lead_weeks=1, n_weeks=3, n_shoppers=300, seed=4)
    assert found["policies"]["nobody"]["profit"] == vars(again.mean("profit"))
    gain = again.mean("profit").value - found["policies"]["behavior"]["profit"]["value"]
    assert found["policies"]["nobody"]["gain_over_behavior"]["value"] == pytest.approx(gain)
