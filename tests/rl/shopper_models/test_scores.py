"""Scores of all known shoppers: from no future, published once, and made anew where they are damaged."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from conf.errors import StaleInputs
from conf.paths import Lake
from conf.publication import read_pointer
from conf.specs.shopper_model import ShopperModel
from rl.errors import EvaluationError, PolicyError
from rl.shopper_models.calibration import IsotonicCurve
from rl.shopper_models.examples import examples_at
from rl.shopper_models.fitting import EPOCH, fit_shopper_model
from rl.shopper_models.scores import score_shoppers
from rl.shopper_models.scores_publishing import ScoresOrigin, publish_scores, scores_table
from rl.shopper_models.stored_model import ARRAYS_FILE, StoredModel, read_stored_model
from tests.rl.shopper_models.simulated_activity import activity_of, simulate

MODEL = ShopperModel(
    name="purchase",
    title="Will buy within 7 days",
    target="purchase",
    horizon_days=7,
    active_days=21,
    history_days=90,
    windows=(7, 28),
    features=("days_since_purchase", "n_purchases", "mean_gap_days"),
    n_resamples=200,
)
N_DAYS = 120


@pytest.fixture(scope="module")
def activity():
    return simulate(400, N_DAYS, seed=3).activity()


@pytest.fixture(scope="module")
def fit(activity):
    return fit_shopper_model(activity, MODEL)


@pytest.fixture(scope="module")
def stored(fit):
    return stored_of(fit, "trees")


def stored_of(fit, learner):
    known_until = EPOCH + timedelta(days=fit.known_until)
    return StoredModel(MODEL, "shop", known_until, fit.test.feature_names, fit.learners[learner])


def day(number):
    return EPOCH + timedelta(days=number)


@pytest.mark.parametrize("learner", ["trees", "logistic"])
@pytest.mark.parametrize("is_isotonic", [False, True])
def test_a_stored_model_predicts_the_same(tmp_path, fit, learner, is_isotonic):
    stored = stored_of(fit, learner)
    if is_isotonic:
        curve = IsotonicCurve(np.array([0.1, 0.5]), np.array([0.05, 0.6]))
        stored = replace(stored, learner=replace(stored.learner, calibrator=curve))
    stored.write(tmp_path)
    found = read_stored_model(tmp_path)
    assert np.array_equal(found.learner.predict(fit.test), stored.learner.predict(fit.test))
    assert (found.model, found.known_until, found.source) == (MODEL, stored.known_until, "shop")


def test_half_a_stored_model_is_none(tmp_path, stored):
    stored.write(tmp_path)
    (tmp_path / ARRAYS_FILE).write_bytes(b"PK")
    with pytest.raises(PolicyError, match=r"no model of shoppers .*fit and register it again"):
        read_stored_model(tmp_path)


def test_a_model_that_knows_the_future_is_refused(activity, stored):
    """On the first day that it knew nothing of it scores; a day earlier it would know what is asked."""
    assert len(score_shoppers(activity, stored, stored.known_until)) > 0
    with pytest.raises(EvaluationError, match="it would know their future"):
        score_shoppers(activity, stored, stored.known_until - timedelta(days=1))


def test_events_of_the_day_or_later_do_not_move_scores(stored):
    """A planted future, as of the day and as of late deliveries of earlier days, changes no score."""
    bought = simulate(100, N_DAYS, seed=4).bought
    shopper, at = np.nonzero(bought)
    names = [f"s{one:06d}" for one in shopper]
    as_of = int((stored.known_until - EPOCH).days)
    before = at < as_of
    late = np.where(before & (np.arange(len(at)) % 9 == 0), as_of, at)  # delivered on the day: not known before it
    known = before & (late == at)
    past = activity_of([n for n, k in zip(names, known, strict=True) if k], at[known], n_days=as_of)
    whole = activity_of(names, at, n_days=N_DAYS, delivery_day=late)
    alone, beside = (score_shoppers(one, stored, stored.known_until) for one in (past, whole))
    assert beside.user_id.tolist() == alone.user_id.tolist()
    assert np.array_equal(beside.calibrated, alone.calibrated)


def test_shoppers_who_came_too_long_ago_have_no_score(activity, stored):
    as_of = N_DAYS
    scores = score_shoppers(activity, stored, day(as_of))
    examples = examples_at(activity, MODEL, np.array([as_of]))
    assert 0 < len(examples) < len(scores)
    assert scores.user_id[scores.is_scored].tolist() == [activity.shoppers[one] for one in examples.shopper]
    expected = np.rint(stored.learner.predict(examples) * 1_000_000)
    assert np.array_equal(scores.calibrated[scores.is_scored], expected)
    table = scores_table(scores, 3)
    assert table["score"].null_count == len(scores) - len(examples)


def origin(**changes):
    base = ScoresOrigin("purchase", date(2026, 7, 20), date(2026, 7, 19), "spec", "code", "key", {"a": "1", "b": "2"})
    return replace(base, **changes)


def test_scores_are_published_once_and_made_anew_where_damaged(tmp_path, activity, stored):
    lake = Lake(tmp_path, "shop")
    table = scores_table(score_shoppers(activity, stored, day(N_DAYS)), 3)
    pointer, is_new = publish_scores(lake, table, origin())
    assert is_new
    folder = lake.shopper_scores("purchase")
    assert read_pointer(Lake.pointer(folder, "as_of=2026-07-20")) == pointer
    file = folder / pointer.files[0]
    assert pq.ParquetFile(file).read().equals(table)
    assert publish_scores(lake, table, origin()) == (pointer, False)
    file.write_bytes(file.read_bytes()[:-1])
    assert publish_scores(lake, table, origin()) == (pointer, True)
    assert pq.ParquetFile(file).read().equals(table)
    with pytest.raises(StaleInputs):
        publish_scores(lake, table, origin(inputs={"a": "1"}))


def test_the_csv_holds_the_same_numbers_exactly(tmp_path, activity, stored):
    lake = Lake(tmp_path, "shop")
    table = scores_table(score_shoppers(activity, stored, day(N_DAYS)), 3)
    publish_scores(lake, table, origin())
    with lake.shopper_scores_csv("purchase", date(2026, 7, 20)).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = [round(float(row["calibrated"]) * 1_000_000) if row["calibrated"] else None for row in rows]
    assert found == table["calibrated"].to_pylist()
    assert {row["as_of"] for row in rows} == {"2026-07-20"}
    assert [row["user_id"] for row in rows] == table["user_id"].to_pylist()
