"""d3rlpy's settings that all algorithms take from a candidate in the same way."""

from __future__ import annotations

from typing import Any

import torch

from conf.specs.candidate import Candidate, TrainingSpec
from rl.learning.algorithms.encoder_choice import encoder_factory, q_function_factory
from rl.learning.updates.optimizers import optimizer_factory

COMPUTE_DTYPES: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}


def one_network_settings(candidate: Candidate, gamma: float) -> dict[str, Any]:
    """Return the d3rlpy settings of algorithms that train everything with one optimizer."""
    return {
        "batch_size": candidate.batch_size,
        "gamma": gamma,
        "learning_rate": candidate.learning_rate,
        "optim_factory": optimizer_factory(candidate.n_updates),
        "encoder_factory": encoder_factory(candidate),
    }


def value_settings(candidate: Candidate, gamma: float) -> dict[str, Any]:
    """Return the d3rlpy settings of algorithms that learn masked action values."""
    return one_network_settings(candidate, gamma) | {"q_func_factory": q_function_factory(candidate)}


def actor_critic_settings(candidate: TrainingSpec, gamma: float) -> dict[str, Any]:
    """Return the d3rlpy settings of algorithms that train a policy beside the values it is judged by."""
    return {
        "batch_size": candidate.batch_size,
        "gamma": gamma,
        "actor_learning_rate": candidate.learning_rate,
        "critic_learning_rate": candidate.learning_rate,
        "actor_optim_factory": optimizer_factory(candidate.n_updates),
        "critic_optim_factory": optimizer_factory(candidate.n_updates),
        "actor_encoder_factory": encoder_factory(candidate),
        "critic_encoder_factory": encoder_factory(candidate),
    }


def built(kind: Any, config: Any, candidate: TrainingSpec, device: str) -> Any:
    """Return the algorithm of that class, not yet built, computing at the candidate's precision."""
    algorithm = kind(config, device, False)
    algorithm.compute_dtype = COMPUTE_DTYPES[candidate.precision]
    return algorithm
