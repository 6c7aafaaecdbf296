"""One step of policy improvement in closed form: values of the log's own policy over resemblances, by ridge."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FeatureArray, FloatArray, IntArray
from rl.errors import PolicyError, TrainingError
from rl.learning.closed_form.later_rewards import later_rewards
from rl.learning.replay.replay_columns import ACTION, ReplayColumns
from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.resemblance import ResemblanceBasis
from rl.policy.resemblance_network import ResemblanceNetwork

_BLOCK_ROWS = 8192


def solve_resemblances(
    columns: ReplayColumns,
    *,
    discount: DiscountFunction,
    encoder: ObservationEncoder,
    actions: FeatureArray | None,
    lookahead: float,
    ridge: float,
    scale: float = 1.0,
) -> tuple[ResemblanceNetwork, float]:
    """Return the network of least squared distance to what logged decisions brought, and that distance.

    A policy that is greedy in the values of the log's own policy is one step better than it, and no value of a decision
    that nobody made is ever looked up while learning: nothing can grow by its own error.

    Source: Brandfonbrener et al. (2021), Offline RL Without Off-Policy Evaluation.

    Args:
        columns: logged rows.
        discount: as the spec states it.
        encoder: of the observations.
        actions: attributes of each action, `(n_actions, n_attributes)`; None where nothing is known of them.
        lookahead: multiplies the discount; 0 looks at the next reward alone.
        ridge: penalty on squared weights, in rows.
        scale: that returns are divided by.

    Raises:
        TrainingError: no attributes, no list of items to resemble, or no row whose later rewards the log tells.
    """
    later = later_rewards(columns, discount, lookahead)
    told = np.flatnonzero(later.is_told)
    if not len(told):
        raise TrainingError(
            f"none of {columns.n_transitions} rows is followed long enough to tell its later rewards; expected "
            "episodes that end, or a smaller lookahead"
        )
    if actions is None:
        raise TrainingError("nothing is known of the actions; run prepare again with action.attributes in the scenario")
    try:
        basis = ResemblanceBasis.of(encoder, actions, columns.features)
    except PolicyError as error:
        raise TrainingError(str(error)) from error
    target = (later.returns / scale).astype(np.float32)
    n = design_of(basis, columns.features[:1], np.zeros(1, dtype=np.int64)).shape[1]
    squares, products = np.zeros((n, n)), np.zeros(n)
    for rows in _blocks(told):
        design = design_of(basis, columns.features[rows], columns.records[rows, ACTION].astype(np.int64))
        squares += design.T @ design
        products += design.T @ target[rows]
    total = float(np.square(target[told], dtype=np.float64).sum())
    weights = np.asarray(np.linalg.solve(squares + ridge * np.eye(n), products), dtype=np.float64)
    loss = (total - 2 * weights @ products + weights @ squares @ weights) / len(told)
    return network_of(basis, weights), max(float(loss), 0.0)


def design_of(basis: ResemblanceBasis, features: FeatureArray, action: IntArray) -> FeatureArray:
    """Return the terms in each context, then the action's own, `(n, n_weights)`."""
    terms, context = basis.terms(features, action), basis.context(features)
    crossed = (terms[:, :, None] * context[:, None, :]).reshape(len(terms), -1)
    return np.concatenate([crossed, basis.own_terms[action]], axis=1)


def network_of(basis: ResemblanceBasis, weights: FloatArray) -> ResemblanceNetwork:
    """Return the network of the weights, as `design_of` orders them."""
    found = weights.astype(np.float32)
    n_own = basis.own_terms.shape[1]
    return ResemblanceNetwork(basis, found[:-n_own].reshape(basis.n_terms, -1), found[-n_own:])


def _blocks(rows: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(rows), _BLOCK_ROWS):
        yield rows[start : start + _BLOCK_ROWS]
