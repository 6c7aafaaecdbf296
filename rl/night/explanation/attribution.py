"""Why this action for this observation: the margin over the runner-up, attributed to named features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rl.data.logged_episodes import BoolArray, FeatureArray, FloatArray
from rl.errors import EvaluationError
from rl.night.explanation.margins import MarginFunction, Preferences, margin_function, margins_between, preferences
from rl.policy import StochasticPolicy

_FIRST_STEPS, _MOST_STEPS = 32, 2048
_ROWS_AT_ONCE = 512
_EVALUATIONS_AT_ONCE = 16_384  # observations times steps that the network sees in one pass
_TOLERANCE = 0.01  # of the mean size of what is attributed, for each decision


@dataclass(frozen=True)
class Attributions:
    """What each named feature adds to the margin of the first choice over the runner-up.

    The values of a row sum to `preferences.margin` - `baseline_margin`, up to `largest_gap`.

    Attributes:
        preferences: the decisions that are explained, `m` of them.
        observations: their encoded observations, `(m, n_encoded)`.
        mask: their available actions, `(m, n_actions)`.
        baseline: encoded observation that stands for knowing nothing, `(n_encoded,)`.
        features: names, in the encoder's order.
        values: in logarithms of odds, `(m, len(features))`.
        baseline_margin: of the same two actions at the baseline, `(m,)`.
        largest_gap: largest distance of a row's sum from what it should be, in logarithms of odds.
    """

    preferences: Preferences
    observations: FeatureArray
    mask: BoolArray
    baseline: FeatureArray
    features: tuple[str, ...]
    values: FloatArray
    baseline_margin: FloatArray
    largest_gap: float


def mean_observation(train_features: FeatureArray) -> FeatureArray:
    """Return the baseline of all attributions: the mean encoded observation of the training split, `(n_features,)`.

    Not zeros: in an encoded observation 0 means an average count but an empty list, so attributions against zeros
    would credit every list for being there at all. No shopper looks like the mean, which a network may not be used
    to; the margin at the baseline is reported for that reason.

    Raises:
        EvaluationError: there are no rows.
    """
    if not len(train_features):
        raise EvaluationError("there are no training observations to take the mean of")
    return np.asarray(train_features.mean(axis=0, dtype=np.float64), dtype=np.float32)


def attribute(
    policy: StochasticPolicy,
    features: FeatureArray,
    mask: BoolArray,
    *,
    baseline: FeatureArray,
    tolerance: float = _TOLERANCE,
) -> Attributions:
    """Return the attributions at each observation that leaves a choice, encoded features summed by their source.

    The integral from baseline to observation takes more steps (up to 2,048) where the sum misses its target by more
    than `tolerance` of the mean absolute target. Says what moved this network, not what moves shoppers; features that
    say the same (items and their categories) share what either could have explained alone.

    Args:
        policy: explained.
        features: encoded observations, `(n, n_features)`.
        mask: available actions, `(n, n_actions)`; no input of the network, so nothing is attributed to it.
        baseline: encoded observation that stands for knowing nothing, `(n_features,)`.
        tolerance: allowed gap of the sums, as a share of the mean absolute target.

    Source: Sundararajan, Taly and Yan (2017), integrated gradients, equation 1; completeness is their proposition 1.
    """
    preferred = preferences(policy, features, mask)
    asked = features[preferred.rows]
    at_baseline = np.broadcast_to(baseline, asked.shape)
    baseline_margin = margins_between(policy, at_baseline, preferred.chosen, preferred.runner_up)
    target = preferred.margin - baseline_margin
    limit = tolerance * float(np.abs(target).mean()) if preferred.n else 0.0
    encoded = _integrated(margin_function(policy), asked, baseline, preferred, target=target, limit=limit)
    names, values = summed_by_source(encoded, policy.encoder.sources)
    gap = float(np.abs(values.sum(axis=1) - target).max(initial=0.0))
    return Attributions(
        preferences=preferred,
        observations=asked,
        mask=mask[preferred.rows],
        baseline=baseline,
        features=names,
        values=values,
        baseline_margin=baseline_margin,
        largest_gap=gap,
    )


def summed_by_source(encoded: FloatArray, sources: Sequence[str]) -> tuple[tuple[str, ...], FloatArray]:
    """Return the names in order of appearance and, for each, the sum over its encoded features, `(n, n_names)`."""
    names = tuple(dict.fromkeys(sources))
    place = {name: index for index, name in enumerate(names)}
    belongs = np.zeros((len(sources), len(names)))
    belongs[np.arange(len(sources)), [place[source] for source in sources]] = 1.0
    return names, encoded @ belongs


def _integrated(
    margins: MarginFunction,
    features: FeatureArray,
    baseline: FeatureArray,
    preferred: Preferences,
    *,
    target: FloatArray,
    limit: float,
) -> FloatArray:
    """Return the integrated gradients of each encoded feature, `(m, n_features)`."""
    found = np.zeros(features.shape)
    missing, n_steps = np.arange(len(features)), _FIRST_STEPS
    while len(missing):
        for start in range(0, len(missing), _ROWS_AT_ONCE):
            rows = missing[start : start + _ROWS_AT_ONCE]
            found[rows] = _gradients(margins, features[rows], baseline, preferred, rows, n_steps)
        missing = missing[np.abs(found[missing].sum(axis=1) - target[missing]) > limit]
        if n_steps >= _MOST_STEPS:
            break
        n_steps *= 4
    return found


def _gradients(
    margins: MarginFunction,
    features: FeatureArray,
    baseline: FeatureArray,
    preferred: Preferences,
    rows: np.ndarray,
    n_steps: int,
) -> FloatArray:
    from captum.attr import IntegratedGradients  # noqa: PLC0415  (with matplotlib a second to import; it comes last in a night)

    inputs = torch.from_numpy(features.astype(np.float64))
    actions = (torch.from_numpy(preferred.chosen[rows]), torch.from_numpy(preferred.runner_up[rows]))
    attributed: torch.Tensor = IntegratedGradients(margins).attribute(
        inputs,
        baselines=torch.from_numpy(baseline.astype(np.float64))[None].expand_as(inputs),
        additional_forward_args=actions,
        n_steps=n_steps,
        # Along the path a rectifier network's gradient is a step function: higher-order quadrature would gain nothing.
        method="riemann_middle",
        internal_batch_size=max(_EVALUATIONS_AT_ONCE, len(rows)),
    )
    return np.asarray(attributed.detach().numpy())
