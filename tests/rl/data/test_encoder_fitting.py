from __future__ import annotations

import numpy as np

from conf.observation_features import OBSERVATION_FEATURES, PERIODS, PRODUCT_FEATURES
from rl.data.encoder_fitting import SMALLEST_SHARE, fit_encoder
from tests.rl.factories import make_pipeline


def test_fit_encoder_standardises_logarithms() -> None:
    """Counts have mean 0 and spread 1 on the rows they were fitted on."""
    values = np.array([0, 1, 3, 7, 20, 55])
    found = fit_encoder({"session_step": values}).encode({"session_step": values})
    assert np.allclose(found.mean(), 0, atol=1e-6)
    assert np.allclose(found.std(), 1, atol=1e-6)


def test_fit_encoder_leaves_missing_values_out_of_the_mean() -> None:
    """-1 says "none" and isn't a count: mean and spread are those of the rest."""
    with_missing = fit_encoder({"last_price_band": np.array([-1, -1, 4, 8])})
    without = fit_encoder({"last_price_band": np.array([4, 8])})
    assert with_missing.columns[0].mean == without.columns[0].mean
    assert with_missing.columns[0].has_missing
    assert not without.columns[0].has_missing


def test_fit_encoder_gives_each_code_of_an_attribute_a_place() -> None:
    """Also the codes for missing and unknown; a code that training never saw is another."""
    encoder = fit_encoder({"shopper_tier": np.array([-1, 0, 2, 2])})
    assert encoder.feature_names == [f"shopper_tier {one}" for one in ("-1", "0", "2", "others")]
    found = encoder.encode({"shopper_tier": np.array([2, 7, -1])})
    assert found.tolist() == [[0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    assert type(encoder).from_json(encoder.to_json()) == encoder


def test_fit_encoder_knows_features_of_products() -> None:
    """Their category is of the space of categories, and the last day of a year is next to the first."""
    encoder = fit_encoder({"product_category": np.full((200, 1), 7), "day_of_year": np.arange(200)})
    assert encoder.spaces["category"] == (7,)
    assert [column.kind for column in encoder.columns] == ["list", "cyclic"]


def test_fit_encoder_survives_a_constant_feature() -> None:
    """A feature that never varies encodes to 0, not to NaN."""
    found = fit_encoder({"session_step": np.array([3, 3])}).encode({"session_step": np.array([3, 3])})
    assert found.tolist() == [[0.0], [0.0]]


def test_fit_encoder_gives_places_to_frequent_ids_alone() -> None:
    """Ids come by number of rows that hold them; a repeated id counts once a row; rare ones get no place."""
    n = int(2 / SMALLEST_SHARE)
    lists = np.zeros((n, 3), dtype=np.int64)
    lists[: n // 2, 0] = 11
    lists[: n // 4, 1:] = 22
    lists[0, 2] = 33
    found = fit_encoder({"recent_shown_items": lists})
    assert found.spaces["item"] == (11, 22)


def test_fit_encoder_caps_a_space_at_its_largest() -> None:
    """The most frequent ids get the places there are, ties by ascending id."""
    lists = np.array([[5, 6, 7], [5, 6, 8], [5, 0, 0]])
    found = fit_encoder({"recent_shown_items": lists}, largest_space={"item": 3})
    assert found.spaces["item"] == (5, 6, 7)


def test_fit_encoder_lets_the_action_space_be_large() -> None:
    """Where actions are categories, categories get as many places as items."""
    lists = np.tile(np.arange(1, 101), (3, 1))
    assert len(fit_encoder({"recent_shown_categories": lists}).spaces["category"]) == 64
    assert len(fit_encoder({"recent_shown_categories": lists}, action_space="category").spaces["category"]) == 100


def test_fit_encoder_handles_every_feature_of_the_contract() -> None:
    """Every feature that a spec may name can be encoded."""
    products = {name.replace("{n}", "7"): definition for name, definition in PRODUCT_FEATURES.items()}
    observation = {
        name: np.ones((4, 2), dtype=np.int64) if definition.kind == "list" else np.arange(4)
        for name, definition in (OBSERVATION_FEATURES | products).items()
    }
    found = fit_encoder(observation)
    assert found.encode(observation).shape == (4, found.n_features)
    assert set(PERIODS) <= set(observation)
    assert {feature.name for feature in make_pipeline().scenario.observation.features} <= set(observation)
