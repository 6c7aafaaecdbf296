"""Removing what attributions name, against removing at random."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rl.night.explanation.attribution import attribute, mean_observation
from rl.night.explanation.faithfulness import Removal, RemovalSettings, removal_effects
from tests.rl.night.explanation.planted import planted_decisions, planted_policy


def removal_of(seed: int, *, n: int = 400, is_shuffled: bool = False, n_removed: int = 2) -> Removal:
    """Effects at planted decisions; attributions handed to the wrong features where `is_shuffled`."""
    policy, features, mask = planted_decisions(n, seed=seed)
    if seed % 2:
        # Every feature matters here: naming the right ones is harder than telling the read from the blind.
        policy = planted_policy(seed=seed, read=tuple(column.name for column in policy.encoder.columns))
    baseline = mean_observation(features)
    found = attribute(policy, features, mask, baseline=baseline)
    if is_shuffled:
        mixed = np.random.default_rng(seed).permuted(found.values, axis=1)
        found = replace(found, values=mixed)
    unit = found.preferences.rows // 2
    return removal_effects(policy, found, unit, RemovalSettings(n_removed=n_removed))


@pytest.mark.parametrize("seed", range(6))
def test_removing_what_is_named_moves_decisions_more_than_chance(seed: int) -> None:
    """Over 400 decisions of six networks: margins fall at least twice as far, probabilities move at least 1.2 times.

    The lower 95% bounds of both paired differences are above 0 too. The factors leave room below the smallest of these
    networks' own, 4.5 and 1.4.
    """
    removal = removal_of(seed)
    assert removal.is_faithful
    assert removal.margin_named.value > 2 * removal.margin_random.value
    assert removal.moved_named.value > 1.2 * removal.moved_random.value


@pytest.mark.parametrize("seed", range(6))
def test_attributions_of_the_wrong_features_are_found_out(seed: int) -> None:
    """The same numbers dealt to other features are no better than chance: within four standard errors of it."""
    removal = removal_of(seed, is_shuffled=True)
    assert not removal.is_faithful
    assert abs(removal.margin_advantage.value) < 4 * removal.margin_advantage.standard_error
    assert removal.margin_advantage.value < 0.3 * removal_of(seed).margin_advantage.value


def test_removing_everything_named_leaves_the_baseline_margin() -> None:
    """Without any of its features an observation is the baseline: the margin falls by all that was attributed."""
    policy, features, mask = planted_decisions(100)
    baseline = mean_observation(features)
    found = attribute(policy, features, mask, baseline=baseline)
    removal = removal_effects(policy, found, found.preferences.rows, RemovalSettings(n_removed=99))
    expected = float((found.preferences.margin - found.baseline_margin).mean())
    assert removal.n_removed == len(found.features)
    assert removal.margin_named.value == pytest.approx(expected, abs=1e-5)
