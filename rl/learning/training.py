"""Training of one candidate: d3rlpy's updates on our replay, with learning curves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from conf.specs.candidate import CLOSED_FORM_ALGORITHMS
from rl.data.discount_function import DiscountFunction
from rl.errors import TrainingError
from rl.learning.algorithms import ALGORITHMS
from rl.learning.algorithms.output_spread import spread_in_training
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile
from rl.learning.closed_form.resemblance_regression import solve_resemblances
from rl.learning.distributed import ALONE, Ranks
from rl.learning.distributed_gradients import join_gradients
from rl.learning.ensemble import averaged, mean_curve, networks_of
from rl.learning.learner import Learner, make_learner
from rl.learning.memory_errors import FROM_FILES, clear_memory_errors, remedy_in_updates
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_columns import ReplayColumns, TrainingData, as_columns
from rl.learning.training_run import (
    CRITERION_METRIC,
    Criterion,
    CurvePoint,
    KeptNetwork,
    RunParts,
    TrainingRun,
    joined_scale,
)
from rl.policy.network import FeatureArray, Network
from rl.policy.observation_encoder import ObservationEncoder
from rl.policy.token_layout import TokenLayout


@dataclass(frozen=True)
class TrainingSettings:
    """What training needs beside the candidate.

    Attributes:
        discount: what a later reward counts for, as the spec states it.
        device: for torch.
        never_chosen: action that the policy won't choose.
        checkpoint: where a killed run is taken up; None starts every run anew.
        criterion: of the networks kept on the way, for early stopping and the curve; of rank 0 alone.
        ranks: the processes that train together.
        layout: which columns of the features are tokens; None where none are.
        action_attributes: of each action, `(n_actions, n_attributes)`; None where nothing is known of them.
        encoder: of the observations, for algorithms that ask what their columns are; None where none does.
        n_threads: of the processor. One is as fast as two on small layers, and leaves the other cores to the other
            candidates.
    """

    discount: DiscountFunction
    device: str = "cpu"
    never_chosen: int | None = None
    checkpoint: CheckpointFile | None = None
    criterion: Criterion | None = None
    ranks: Ranks = ALONE
    layout: TokenLayout | None = None
    action_attributes: FeatureArray | None = field(default=None, compare=False)
    encoder: ObservationEncoder | None = field(default=None, compare=False)
    n_threads: int = 1


@dataclass(frozen=True)
class TrainedCandidate:
    """What training gives.

    Attributes:
        kept: networks as they stood on the way, by update; the last one is that of the run's end. Of an ensemble, the
            means of its networks.
        reward_scale: training rewards were divided by it; values times it are in reward units.
        curve: learning curves; of an ensemble, the means of its networks'.
        seconds: of the updates alone, of all networks together, those of killed processes included.
        n_updates: done, of each network.
        stopped_early: no network was better for as long as the candidate's patience.
        algorithm: d3rlpy's, as trained; of an ensemble, its last network's.
    """

    kept: tuple[KeptNetwork, ...]
    reward_scale: float
    curve: tuple[CurvePoint, ...]
    seconds: float
    n_updates: int
    stopped_early: bool
    algorithm: Any = field(repr=False)

    @property
    def network(self) -> Network:
        """The last network: outputs before any mask."""
        return self.kept[-1].network

    @property
    def output_scale(self) -> float:
        """What the last network's policy divides outputs by."""
        return self.kept[-1].output_scale


def train_candidate(
    seeded: SeededCandidate, training: TrainingData, validation: TrainingData | None, settings: TrainingSettings
) -> TrainedCandidate:
    """Train the candidate and return it; seed, processes and threads fix every bit on one kind of device.

    The networks of an ensemble are trained one after the other, on the same rows.

    Args:
        seeded: the candidate.
        training: episodes to learn from, in memory or in files; of several processes, this one's shard. Where the
            caller lets go of them, only their columns stay.
        validation: held out; None on all ranks but the first.
        settings: what else it takes; all ranks' but for device, criterion and rank.

    Raises:
        TrainingError: nothing to learn from, a loss or network that isn't finite, or not enough memory.
    """
    torch.set_num_threads(settings.n_threads)
    who, batch_size = f"candidate {seeded.name}", seeded.candidate.batch_size
    with clear_memory_errors(who, f"taking in {training.n_transitions} transitions", remedy=FROM_FILES):
        columns = as_columns(training)
        reward_scale = _reward_scale(columns, settings.ranks)
        if seeded.candidate.algorithm in CLOSED_FORM_ALGORITHMS:
            return _solve(seeded, columns, reward_scale, settings)
        replay = _replay(columns, reward_scale, settings)
        held_out = None if validation is None else _replay(as_columns(validation), reward_scale, settings)
        del training, validation
    data = _Data(columns, reward_scale, replay, held_out)
    with clear_memory_errors(who, f"with batch_size {batch_size}", remedy=remedy_in_updates(batch_size)):
        networks = networks_of(seeded)
        if len(networks) == 1:
            return _train_network(seeded, data, settings)
        return _train_ensemble(networks, data, settings)


def _solve(
    seeded: SeededCandidate, columns: ReplayColumns, reward_scale: float, settings: TrainingSettings
) -> TrainedCandidate:
    """Return the candidate that is solved for at once, as one update; its curve is the loss alone."""
    if not settings.ranks.is_alone:
        raise TrainingError(f"candidate {seeded.name} is solved for by one process; train it with one")
    if settings.encoder is None:
        raise TrainingError(f"candidate {seeded.name} asks what the observation's columns are; give its encoder")
    started = time.perf_counter()
    network, loss = solve_resemblances(
        columns,
        discount=settings.discount,
        encoder=settings.encoder,
        actions=settings.action_attributes,
        lookahead=seeded.candidate.lookahead,
        ridge=seeded.candidate.ridge,
        scale=reward_scale,
    )
    kept = KeptNetwork(1, network, spread_in_training(network, columns))
    seconds = max(time.perf_counter() - started, 1e-6)
    return TrainedCandidate(
        kept=(kept,),
        reward_scale=reward_scale,
        curve=(CurvePoint(1, round(seconds, 3), "train", "loss", loss),),
        seconds=seconds,
        n_updates=1,
        stopped_early=False,
        algorithm=None,
    )


@dataclass(frozen=True)
class _Data:
    """What is learned from, the same for all networks of a candidate.

    Attributes:
        columns: of the training split.
        reward_scale: that rewards are divided by.
        replay: of the training split.
        held_out: of the validation split; None on all ranks but the first.
    """

    columns: ReplayColumns
    reward_scale: float
    replay: Replay
    held_out: Replay | None


def _train_network(seeded: SeededCandidate, data: _Data, settings: TrainingSettings) -> TrainedCandidate:
    """Return the candidate of one network."""
    torch.manual_seed(seeded.seed)
    learner, method = _learner(seeded, data.replay, settings), ALGORITHMS[seeded.candidate.algorithm]
    run = TrainingRun(
        RunParts(seeded, method, learner, data.replay, data.held_out, data.columns, settings.criterion, settings.ranks)
    )
    run.finish(settings.checkpoint)
    if settings.checkpoint is not None and seeded.candidate.ensemble > 1:
        # One of several: a kill while another learns finds it done.
        run.write(settings.checkpoint)
    return TrainedCandidate(
        kept=tuple(run.kept),
        reward_scale=data.reward_scale,
        curve=tuple(run.curve),
        seconds=run.seconds,
        n_updates=learner.n_updates,
        stopped_early=run.stopped_early,
        algorithm=learner.algorithm,
    )


def _train_ensemble(networks: Sequence[SeededCandidate], data: _Data, settings: TrainingSettings) -> TrainedCandidate:
    """Return the candidate of several networks, trained one after the other, by the mean of their outputs."""
    method, file = ALGORITHMS[networks[0].candidate.algorithm], settings.checkpoint
    trained = []
    for place, network in enumerate(networks):
        own = replace(settings, criterion=None, checkpoint=None if file is None else file.of_network(place))
        trained.append(_train_network(network, data, own))
    kept = averaged(
        [one.kept for one in trained],
        lambda network: joined_scale(method.output_scale(network, data.columns), data.columns, settings.ranks),
    )
    curve, seconds = mean_curve([one.curve for one in trained]), sum(one.seconds for one in trained)
    if (criterion := settings.criterion) is not None:
        curve += tuple(
            CurvePoint(one.update, round(seconds, 3), "validation", CRITERION_METRIC, criterion(one)) for one in kept
        )
    return replace(trained[-1], kept=kept, curve=curve, seconds=seconds)


def _learner(seeded: SeededCandidate, replay: Replay, settings: TrainingSettings) -> Learner:
    """Return a learner whose networks are the same on all ranks, which draw by themselves from there on."""
    ranks = settings.ranks
    learner = make_learner(
        seeded.candidate,
        observation_shape=replay.observation_shape,
        action_size=replay.n_actions,
        gamma=settings.discount.part_factor,
        device=settings.device,
        is_captured=None if ranks.is_alone else False,
        layout=settings.layout,
        action_attributes=settings.action_attributes,
    )
    join_gradients(learner.algorithm, ranks, batch_size=seeded.candidate.batch_size)
    if not ranks.is_first:
        torch.manual_seed(ranks.seed(seeded.seed))
    return learner


def _replay(columns: ReplayColumns, reward_scale: float, settings: TrainingSettings) -> Replay:
    return Replay(
        columns,
        device=settings.device,
        reward_scale=reward_scale,
        never_chosen=settings.never_chosen,
        parts_of_day=settings.discount.parts_of_day,
    )


def _reward_scale(training: ReplayColumns, ranks: Ranks) -> float:
    """Return the standard deviation of rewards: divided by it, one learning rate fits any currency."""
    if ranks.is_alone:
        spread = float(training.reward.std()) if training.n_transitions else 0.0
    else:
        n, total = ranks.sums([training.n_transitions, float(training.reward.sum())])
        spread = math.sqrt(ranks.sums([float(((training.reward - total / n) ** 2).sum())])[0] / n)
    return spread if spread > 1e-9 else 1.0
