"""The policy of a candidate, made of a network that its training kept."""

from __future__ import annotations

from rl.data.dataset import Dataset
from rl.data.shop_rules import rules_of_scenario
from rl.learning.candidates import SeededCandidate
from rl.learning.training_run import KeptNetwork
from rl.policy import StochasticPolicy


def make_policy(dataset: Dataset, seeded: SeededCandidate, kept: KeptNetwork) -> StochasticPolicy:
    """Return the candidate's policy at the highest temperature of the spec, until one is chosen."""
    spec = dataset.pipeline.scenario.policy
    return StochasticPolicy(
        name=seeded.name,
        network=kept.network,
        encoder=dataset.encoder,
        vocabulary=dataset.vocabulary,
        output_scale=kept.output_scale,
        temperature=max(spec.temperatures),
        exploration_floor=spec.exploration_floor,
        is_other_chosen=not dataset.pipeline.is_logged,
        dataset_digest=dataset.digest,
        rules=rules_of_scenario(dataset.pipeline.scenario),
    )
