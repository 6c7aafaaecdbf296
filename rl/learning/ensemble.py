"""A candidate of several networks: their seeds, and what their trainings come to together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rl.learning.candidates import SeededCandidate
from rl.learning.training_run import CurvePoint, KeptNetwork
from rl.policy.ensemble_network import EnsembleNetwork
from rl.policy.network import Network


def networks_of(seeded: SeededCandidate) -> tuple[SeededCandidate, ...]:
    """Return each network to train, named as messages name it; the first has the candidate's own seed.

    The others' seeds are drawn from it, so that candidates of neighbouring seeds share no network.
    """
    n_networks = seeded.candidate.ensemble
    if n_networks == 1:
        return (seeded,)
    drawn = [np.random.SeedSequence([seeded.seed, place]).generate_state(1)[0] for place in range(1, n_networks)]
    return tuple(
        replace(seeded, name=f"{seeded.name}, network {place} of {n_networks}", seed=int(seed))
        for place, seed in enumerate([seeded.seed, *drawn], start=1)
    )


def averaged(runs: Sequence[Sequence[KeptNetwork]], scale_of: Callable[[Network], float]) -> tuple[KeptNetwork, ...]:
    """Return the mean of the networks that were kept after the same updates, one for each such moment.

    Args:
        runs: what each network's training kept, all after the same updates.
        scale_of: the spread of a network's outputs; that of a mean is less than those of its members.
    """
    found = []
    for together in zip(*runs, strict=True):
        network = EnsembleNetwork(tuple(kept.network for kept in together))
        found.append(KeptNetwork(together[0].update, network, scale_of(network)))
    return tuple(found)


def mean_curve(curves: Sequence[Sequence[CurvePoint]]) -> tuple[CurvePoint, ...]:
    """Return the mean of the networks' learning curves, point by point; seconds are those of all together."""
    return tuple(
        replace(
            points[0],
            seconds=round(sum(point.seconds for point in points), 3),
            value=float(np.mean([point.value for point in points])),
        )
        for points in zip(*curves, strict=True)
    )
