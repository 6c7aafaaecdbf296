"""A running session's chance of a purchase, learned of simulated ones of a known truth: calibrated, and of the past."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from conf.errors import SpecError
from conf.kernel.sessions import SessionRule
from conf.specs.shopper_model import ShopperModel, load_shopper_model
from conf.specs.strict_yaml import parse_model
from rl.errors import NothingToLearn
from rl.shopper_models.champion_comparison import compare_with_champion
from rl.shopper_models.comparison import ranked_rows
from rl.shopper_models.fitting import EPOCH, Fit, fit_shopper_model
from rl.shopper_models.judging import gate_answer, learner_figures, predictions
from rl.shopper_models.running_sessions import RunningSessions, running_sessions
from rl.shopper_models.session_examples import session_examples
from rl.shopper_models.stored_model import StoredModel, read_stored_model
from tests.rl.shopper_models.simulated_sessions import SimulatedSessions, simulate_sessions

HOUR = 3_600_000_000
MODEL = load_shopper_model("session-purchase")


@cache
def simulated() -> SimulatedSessions:
    return simulate_sessions(700, 45, seed=2)


def model_of(**changes: object) -> ShopperModel:
    return ShopperModel.model_validate({**MODEL.model_dump(), "n_resamples": 200, **changes})


@cache
def fitted() -> Fit:
    return fit_shopper_model(simulated().activity(), model_of(), simulated().running())


def truth_of(fit: Fit) -> np.ndarray:
    """The true chances of the test rows, which stand in the order of shopper and time."""
    every = simulated().running().steps_on(np.arange(45))
    chosen = np.isin(every.day, np.unique(fit.test.as_of_day))
    return simulated().truth[chosen]


def sessions_of(*events: tuple[str, str, float], rule: SessionRule | None = None) -> RunningSessions:
    """Sessions of events: shopper, type and hour since the epoch."""
    user, kind, hour = (np.array(one) for one in zip(*events, strict=True))
    day = (hour.astype(float) // 24).astype(np.int64)
    columns = {
        "user_id": user,
        "event_type": kind,
        "event_id": np.array([f"e{place}" for place in range(len(events))]),
        "time_us": (hour.astype(float) * HOUR).astype(np.int64),
        "day": day,
        "delivery_day": day,
    }
    return running_sessions(columns, rule or SessionRule(HOUR // 2, 4 * HOUR), step_types=("view",), zone="UTC")


def test_a_step_knows_what_came_before_it_and_is_told_what_followed_in_its_session() -> None:
    found = sessions_of(
        ("ann", "view", 10.0),
        ("ann", "cart", 10.1),
        ("ann", "view", 10.2),
        ("ann", "purchase", 10.3),
        ("ann", "view", 10.4),
        ("ann", "view", 20.0),
        ("bob", "view", 10.0),
        ("bob", "purchase", 11.0),
    )
    steps = found.steps_on(np.array([0]))
    assert [found.shoppers[one] for one in steps.shopper] == ["ann"] * 4 + ["bob"]
    assert steps.is_bought().tolist() == [1, 1, 0, 0, 0]
    features = steps.features(("session_step", "n_session_carts", "seconds_since_previous_event", "hour_of_day"))
    assert features["session_step"].tolist() == [0, 1, 2, 0, 0]
    assert features["n_session_carts"].tolist() == [0, 1, 1, 0, 0]
    np.testing.assert_array_equal(features["seconds_since_previous_event"], [np.nan, 360, 360, np.nan, np.nan])
    assert features["hour_of_day"].tolist() == [10, 10, 10, 20, 10]


def test_a_session_counts_for_the_day_on_which_it_starts() -> None:
    """Over midnight, with what the second day brings."""
    found = sessions_of(("ann", "view", 23.9), ("ann", "view", 24.1), ("ann", "purchase", 24.2))
    assert found.steps_on(np.array([0])).is_bought().tolist() == [1, 1]
    assert len(found.steps_on(np.array([1])).row) == 0
    assert found.n_starting_after(0) == 0


def test_what_happens_later_changes_no_feature() -> None:
    """A shop that closes after the last test day's first hours: earlier steps look alike, to the bit."""
    shop = simulated()
    cut = 40 * 24 * HOUR + 12 * HOUR
    kept = shop.columns["time_us"] < cut
    columns = {name: values[kept] for name, values in shop.columns.items()}
    shorter = SimulatedSessions(columns, shop.truth, shop.n_days)
    days = np.array([40])
    whole, _ = session_examples(shop.activity(), shop.running(), MODEL, days)
    part, _ = session_examples(shorter.activity(), shorter.running(), MODEL, days)
    hour = whole.feature_names.index("hour_of_day")
    mornings = [one.features[one.features[:, hour] < 12] for one in (whole, part)]
    assert len(mornings[0]) > 100
    np.testing.assert_array_equal(*mornings)


def test_it_is_calibrated_and_skilled_where_the_truth_is_known() -> None:
    fit = fitted()
    own = learner_figures(fit, model_of())[0]
    assert own.name == "trees"
    assert own.slope is not None
    assert 0.9 <= own.slope.value <= 1.1
    assert own.skill.lower > 0
    constant = next(one for one in learner_figures(fit, model_of()) if one.name == "constant")
    assert gate_answer(own, constant, model_of(), over_champion=None).verdict == "promote"
    assert "bg_nbd" in fit.refused


def test_trees_close_half_of_the_gap_to_the_truth() -> None:
    """Intent that peaks in the evening is no line in the hour: the logistic regression misses it."""
    fit = fitted()
    truth = truth_of(fit)
    assert len(truth) == len(fit.test)
    auc = {
        name: rows.auc
        for name, one in {**predictions(fit), "truth": truth}.items()
        if (rows := ranked_rows(one, fit.test_outcome)) is not None
    }
    assert auc["truth"] > auc["logistic"] + 0.005, auc
    assert auc["trees"] - auc["logistic"] >= 0.5 * (auc["truth"] - auc["logistic"]), auc
    assert auc["trees"] > auc["rfm"]


def test_shoppers_whom_nobody_knew_have_a_session_all_the_same() -> None:
    activity = simulated().activity()
    one = sessions_of(("stranger", "view", 24 * 30 + 1.0), ("stranger", "view", 24 * 30 + 1.1))
    examples, bought = session_examples(activity, one, MODEL, np.array([30]))
    assert bought.tolist() == [0, 0]
    shown = dict(zip(examples.feature_names, examples.features[1], strict=True))
    assert shown["session_step"] == 1
    assert shown["n_visit_days_90"] == 0
    assert np.isnan(shown["days_since_visit"])


def test_it_is_stored_and_compared_as_any_model(tmp_path) -> None:
    """Against itself on the same rows the difference is nothing, to the bit."""
    fit, model = fitted(), model_of()
    known_until = EPOCH.fromordinal(EPOCH.toordinal() + fit.known_until)
    StoredModel(model, "shop", known_until, fit.test.feature_names, fit.learners["trees"]).write(tmp_path)
    champion = read_stored_model(tmp_path)
    found = compare_with_champion(
        fit, simulated().activity(), model, champion, name="champion", running=simulated().running()
    )
    assert found.difference is not None
    assert found.difference.gain.value == 0


def test_without_sessions_it_learns_nothing() -> None:
    with pytest.raises(NothingToLearn, match="session-purchase is of running sessions, and none were read"):
        fit_shopper_model(simulated().activity(), model_of())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"horizon_days": 7}, "horizon_days is 7, and target session_purchase has none"),
        ({"target": "purchase"}, "this key is missing: horizon_days"),
        (
            {"target": "purchase", "horizon_days": 7, "active_days": 9},
            "features session_step, .* are of a running session",
        ),
        (
            {"target": "churn", "horizon_days": 7, "active_days": 9, "features": ["spend"], "max_shoppers": 500},
            "max_shoppers is for target: session_purchase",
        ),
    ],
)
def test_keys_of_the_other_kind_are_refused(changes: dict[str, object], said: str) -> None:
    content = MODEL.model_dump(mode="json", exclude={"horizon_days", "active_days"}) | changes
    with pytest.raises(SpecError, match=said):
        parse_model(ShopperModel, content, "test")
