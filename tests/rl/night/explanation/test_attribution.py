"""Attributions against what they must sum to, closed forms, and planted reasons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.errors import EvaluationError
from rl.night.explanation.attribution import attribute, mean_observation, summed_by_source
from rl.policy.network import DenseNetwork
from tests.rl.night.explanation.planted import BLIND, READ, planted_decisions, planted_policy


def test_attributions_sum_to_the_difference_of_the_margins() -> None:
    """Completeness: each row sums to its margin less the margin at the baseline, within 1% of the mean difference."""
    policy, features, mask = planted_decisions(300)
    found = attribute(policy, features, mask, baseline=mean_observation(features), tolerance=0.01)
    target = found.preferences.margin - found.baseline_margin
    limit = 0.01 * np.abs(target).mean()
    # float32 in the policy's forward pass adds its own rounding to the tolerance asked for.
    np.testing.assert_allclose(found.values.sum(axis=1), target, atol=limit + 1e-4)
    assert found.largest_gap <= limit + 1e-4


def test_a_smaller_tolerance_is_kept() -> None:
    """Steps are added until the sums fit."""
    policy, features, mask = planted_decisions(50)
    baseline = mean_observation(features)
    loose = attribute(policy, features, mask, baseline=baseline, tolerance=0.1)
    tight = attribute(policy, features, mask, baseline=baseline, tolerance=0.002)
    scale = np.abs(tight.preferences.margin - tight.baseline_margin).mean()
    assert tight.largest_gap <= 0.002 * scale + 1e-4 < loose.largest_gap


def test_attributions_of_a_linear_network_are_weight_times_difference() -> None:
    """For a linear margin the integral has a closed form: weight times (observation - baseline)."""
    policy, features, mask = planted_decisions(40)
    network = policy.network
    assert isinstance(network, DenseNetwork)
    linear = DenseNetwork((network.weights[1] @ network.weights[0],), network.biases[1:])
    policy = replace(policy, network=linear)
    baseline = mean_observation(features)
    found = attribute(policy, features, mask, baseline=baseline)
    preferred = found.preferences
    weights = linear.weights[0].astype(np.float64)
    between = (weights[preferred.chosen] - weights[preferred.runner_up]) / (policy.output_scale * policy.temperature)
    encoded = between * (features[preferred.rows].astype(np.float64) - baseline)
    np.testing.assert_allclose(found.values, summed_by_source(encoded, policy.encoder.sources)[1], atol=1e-9)


def test_attributions_name_the_features_that_the_network_reads() -> None:
    """A network blind to all but two features gets nothing from the others, not even by rounding."""
    policy, features, mask = planted_decisions(200)
    found = attribute(policy, features, mask, baseline=mean_observation(features))
    mean = dict(zip(found.features, np.abs(found.values).mean(axis=0), strict=True))
    assert all(mean[name] == 0.0 for name in BLIND)
    assert min(mean[name] for name in READ) > 0.1


def test_an_observation_like_the_baseline_has_no_attributions() -> None:
    """Where nothing differs from the mean, nothing is to be explained."""
    policy, features, mask = planted_decisions(10)
    baseline = mean_observation(features)
    found = attribute(policy, np.tile(baseline, (10, 1)), mask, baseline=baseline)
    np.testing.assert_allclose(found.values, 0.0, atol=1e-12)


def test_encoded_features_are_summed_by_the_feature_they_are_from() -> None:
    """Names keep their order; columns of one name add up, next to each other or not."""
    names, values = summed_by_source(np.array([[1.0, 2.0, 4.0, 8.0]]), ["b", "a", "b", "c"])
    assert names == ("b", "a", "c")
    assert values.tolist() == [[5.0, 2.0, 8.0]]


def test_every_encoded_feature_has_its_source() -> None:
    """One source per encoded feature, in the order of the encoder's own names."""
    encoder = planted_policy().encoder
    assert len(encoder.sources) == encoder.n_features
    assert all(name.startswith(source) for name, source in zip(encoder.feature_names, encoder.sources, strict=True))


def test_the_mean_of_no_observations_is_refused() -> None:
    """Without training rows there is no baseline."""
    with pytest.raises(EvaluationError, match="no training observations"):
        mean_observation(np.zeros((0, 3), dtype=np.float32))
