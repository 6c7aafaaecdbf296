"""The imitation loss over available actions."""

from __future__ import annotations

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.models.torch import DiscreteImitationLoss

from rl.learning.networks.masked_networks import MaskedCategoricalPolicy, Observations

# d3rlpy's penalty on squared log-probabilities pulls the clone towards the uniform policy; a touch of it keeps rare
# actions from running off to minus infinity.
CLONING_PENALTY = 1e-3


def imitation_terms(
    imitator: MaskedCategoricalPolicy, observations: Observations, actions: torch.Tensor, penalty_weight: float
) -> DiscreteImitationLoss:
    """Return the cross-entropy, and the penalty on squared log-probabilities of available actions.

    d3rlpy's own penalty would square the mask's constant as well, 1e18 for each action out of stock. Every row counts
    the same, however many actions it has: a batch's loss is then the mean of its parts', on several devices too.
    """
    log_probabilities = imitator(observations).logits
    imitation = -log_probabilities.gather(1, actions.view(-1, 1).long()).mean()
    is_available = observations[1].bool()
    squared = torch.where(is_available, log_probabilities, 0.0) ** 2
    penalty = penalty_weight * (squared.sum(dim=1) / is_available.sum(dim=1)).mean()
    return DiscreteImitationLoss(loss=imitation + penalty, imitation_loss=imitation, regularization_loss=penalty)
