"""Small shops whose truth is known are told apart, and logs that can't tell say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from conf.specs.scenario import load_pipeline
from rl.shops.recommendation.tabular_shop import TabularShop, tabular_settings
from rl.shops.settings_file import changed_settings
from rl.worth.assessment import Assessment, WorthSettings, assess, sampled_shoppers
from rl.worth.movement import Floors
from tests.bench.worth_trial import assess_shop
from tests.rl.worth.worth_logs import make_log

# Three items and 600 shoppers: small enough to be quick, and right for each of the seeds 1 to 8 that were tried.
SHOP = tabular_settings(n_shoppers=600)
SEEDS = (1, 2, 3)


def settings(size: float = 1.0) -> WorthSettings:
    scenario = load_pipeline("recommendation", "simulated_shop").scenario
    return replace(WorthSettings.from_scenario(scenario), floors=Floors(size, 1.0))


def assessed(log: object = None, **arguments: object) -> Assessment:
    return assess(log or make_log(n_shoppers=60), settings(), nights=7.0, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(("is_flat", "expected"), [(False, 0.69), (True, 1.0)])
def test_the_small_shops_truth_is_what_the_answers_are_held_against(is_flat: bool, expected: float) -> None:
    """Exact values: greedy earns 69% of the best policy's value where shoppers get bored, and all of it where not."""
    tabular = TabularShop(SHOP.flat() if is_flat else SHOP)
    share = tabular.value(tabular.greedy_table(), 0.95) / tabular.value(tabular.optimal_table(0.95), 0.95)
    assert abs(share - expected) < 0.005


@pytest.mark.parametrize("seed", SEEDS)
def test_looking_ahead_pays_where_shoppers_get_bored(seed: int) -> None:
    """The shop in which showing one category again and again drives shoppers away says that looking ahead pays."""
    assert assess_shop(changed_settings(SHOP, seed=seed)).answer == "pays"


@pytest.mark.parametrize("seed", SEEDS)
def test_looking_ahead_does_not_pay_in_the_flat_shop(seed: int) -> None:
    """The shop in which what is shown changes nothing but its own reward says that it does not."""
    assert assess_shop(changed_settings(SHOP.flat(), seed=seed)).answer == "does_not_pay"


def test_a_thin_log_cannot_tell() -> None:
    """Sixty shoppers of the same shop are below the gate's floors."""
    found = assess_shop(changed_settings(SHOP, n_shoppers=60))
    assert found.answer == "cannot_tell"
    assert "too few shoppers" in found.sentence


def test_too_few_shoppers_to_deal_into_folds_cannot_tell_either() -> None:
    """Ten shoppers give an abstention with the reason, not an error."""
    found = assessed(make_log(n_shoppers=10))
    assert found.answer == "cannot_tell"
    assert "10 shoppers" in found.sentence


def test_implied_decisions_cannot_tell_and_predictions_are_called_so() -> None:
    """Nothing is weighted, whatever stands in the propensities, and no number of nights helps."""
    found = assessed(is_logged=False)
    assert found.answer == "cannot_tell"
    assert "implied" in found.sentence
    assert found.comparison is not None and found.comparison.is_prediction
    assert (found.future_effect, found.movement, found.visibility) == (None, None, None)
    assert "No number of further nights" in (found.visibility_refusal or "")


@pytest.mark.parametrize(("propensity", "reason"), [(1.0, "deterministic"), (np.nan, "no propensities")])
def test_logs_without_exploration_or_propensities_cannot_tell(propensity: float, reason: str) -> None:
    """A deterministic log, and one without propensities, say so and what would help."""
    log = make_log(n_shoppers=60)
    found = assessed(replace(log, propensity=np.full(log.n_transitions, propensity)))
    assert found.answer == "cannot_tell"
    assert reason in found.sentence
    assert "Exploration would" in (found.visibility_refusal or "")


def test_estimated_propensities_are_said() -> None:
    """The answer stands, with the reservation among its reasons."""
    assert any("were estimated" in reason for reason in assessed(is_estimated=True).reasons)


def test_named_features_are_tried_for_a_response() -> None:
    """Last action 2, one-hot in the next observation, is moved by the action: it is the action."""
    found = assessed(next_features={"showed the last": 3})
    assert {one.name: one.is_moved for one in found.responses}["showed the last"]


def test_everything_comes_with_an_interval_that_holds_its_value() -> None:
    """Share reached, size of the future effect, farthest share and nights lie between their bounds."""
    found = assessed(make_log(n_shoppers=200, leaving=(0.1, 0.1, 0.6)))
    assert found.comparison and found.future_effect and found.movement and found.visibility
    for one in (
        found.comparison.share_reached,
        found.future_effect.size,
        found.movement.farthest,
        *(row.nights for row in found.visibility.rows),
    ):
        assert one.value is not None and one.lower is not None and one.upper is not None
        assert one.lower <= one.value <= one.upper


def test_sampled_shoppers_are_whole_and_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a log too large for memory, shoppers stay with all their episodes, up to the limit."""
    monkeypatch.setattr("rl.worth.assessment.MAX_ROWS", 500)
    log = make_log(n_shoppers=100)
    kept, share = sampled_shoppers(log, seed=0)
    assert kept.n_transitions <= 500
    assert share == kept.n_transitions / log.n_transitions
    assert set(np.bincount(kept.unit)[np.unique(kept.unit)]) == {4}


def test_a_log_that_fits_is_read_whole() -> None:
    """Nothing is drawn where nothing needs to be."""
    log = make_log(n_shoppers=20)
    assert sampled_shoppers(log, seed=0) == (log, 1.0)


def test_a_log_of_one_action_cannot_tell_and_says_why() -> None:
    """More nights or shoppers of the same would help nothing, so they aren't asked for."""
    log = make_log(n_shoppers=60)
    found = assessed(replace(log, action=np.zeros_like(log.action)))
    assert (found.answer, found.comparison) == ("cannot_tell", None)
    assert "took the same action" in found.sentence
    assert not any("random" in reason or "nights" in reason for reason in found.reasons)


def test_a_log_in_which_nothing_was_earned_cannot_tell_and_says_why() -> None:
    """No share of nothing is computed."""
    log = make_log(n_shoppers=60)
    found = assessed(replace(log, reward=np.zeros_like(log.reward)))
    assert (found.answer, found.comparison) == ("cannot_tell", None)
    assert "nothing was earned" in found.sentence
