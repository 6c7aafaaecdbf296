"""One training run: updates, learning curves, networks kept on the way, and a state to go on from."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import structlog
import torch

from rl.errors import TrainingError
from rl.learning.algorithms import Algorithm
from rl.learning.candidates import SeededCandidate
from rl.learning.checkpoint import CheckpointFile, Timer
from rl.learning.distributed import ALONE, Ranks
from rl.learning.learner import Learner
from rl.learning.replay.replay import Replay
from rl.learning.replay.replay_columns import ReplayColumns
from rl.learning.replay.row_order import ShuffledRows
from rl.learning.training_progress import Progress
from rl.learning.updates.updates import updates_of
from rl.policy.network import Network
from rl.policy.network_kinds import network_from

# Points of a learning curve, and rows of the validation split that a point is computed on.
N_CURVE_POINTS = 25
N_VALIDATION_ROWS = 4096

CRITERION_METRIC = "gain_in_standard_errors"
"""What learning curves call the criterion."""

Criterion = Callable[["KeptNetwork"], float]
"""Says how good a network is on validation episodes: the higher, the better."""


@dataclass(frozen=True)
class CurvePoint:
    """A logged value: after how many updates, at how many seconds, on which split."""

    update: int
    seconds: float
    split: str
    metric: str
    value: float


@dataclass(frozen=True)
class KeptNetwork:
    """A network as it stood after some updates.

    Attributes:
        update: after how many.
        network: outputs before any mask.
        output_scale: what the policy divides outputs by.
    """

    update: int
    network: Network
    output_scale: float


@dataclass(frozen=True)
class RunParts:
    """What a run is made of, the same whether it begins or goes on.

    Attributes:
        seeded: the candidate.
        method: its algorithm.
        learner: with networks drawn from the seed.
        replay: of the training split.
        held_out: of the validation split; None on all ranks but the first.
        training: the training split, for the outputs' scale.
        criterion: of kept networks; None where nobody asks.
        ranks: the processes that train together; replay and training are this one's shard.
    """

    seeded: SeededCandidate
    method: Algorithm
    learner: Learner
    replay: Replay
    held_out: Replay | None
    training: ReplayColumns
    criterion: Criterion | None = None
    ranks: Ranks = ALONE


class TrainingRun:
    """A run in progress.

    Attributes:
        curve: points so far.
        kept: networks so far, by update; the last one is that of the run's end.
        stopped_early: the criterion hadn't risen for as many kept networks as the candidate's patience.
    """

    def __init__(self, parts: RunParts) -> None:
        candidate, ranks = parts.seeded.candidate, parts.ranks
        self._parts = parts
        order = ShuffledRows(
            parts.replay.n_transitions, ranks.batch_size(candidate.batch_size), ranks.seed(parts.seeded.seed)
        )
        self._updates = updates_of(parts.learner, parts.replay, order)
        self._every = max(1, candidate.n_updates // N_CURVE_POINTS)
        self._keep_at = _keep_at(candidate.n_updates, candidate.n_checkpoints)
        self._criteria: list[float] = []
        self._progress = Progress(parts.seeded.name, candidate.n_updates)
        self.curve: list[CurvePoint] = []
        self.kept: list[KeptNetwork] = []
        self.stopped_early = False

    @property
    def seconds(self) -> float:
        """Seconds that updates took, those of killed processes included."""
        return self._progress.seconds

    def finish(self, file: CheckpointFile | None = None) -> None:
        """Do all updates that are left, unless the run stops early.

        Args:
            file: taken up where it holds a state of this run, and written now and then.

        Raises:
            TrainingError: a loss, a validation metric or a kept network that isn't finite.
        """
        ranks = self._parts.ranks
        state = file.read() if file is not None and ranks.is_first else None
        if (states := ranks.given(state)) is not None:
            self.load_state(_with_own(states["first"], states["own"][ranks.rank]))
        timer = Timer(math.inf if file is None else file.every_seconds)
        while self._parts.learner.n_updates < self._parts.seeded.candidate.n_updates and not self.stopped_early:
            self.step()
            if file is not None and self._is_due(timer):
                self.write(file)

    def write(self, file: CheckpointFile) -> None:
        """Write the state, of all ranks together, to the file."""
        ranks, state = self._parts.ranks, self.state()
        own = ranks.gathered(_own_state(state))
        if ranks.is_first:
            file.write({"first": state, "own": own})

    def _is_due(self, timer: Timer) -> bool:
        """Return whether a checkpoint is due; ranks agree on it at the curve's points alone, to wait less."""
        ranks = self._parts.ranks
        if ranks.is_alone:
            return timer.is_due()
        return self._parts.learner.n_updates % self._every == 0 and ranks.decided(timer.is_due())

    def step(self) -> None:
        """Do one update, and what is due after it."""
        learner = self._parts.learner
        terms = self._updates.next()
        update = learner.n_updates
        is_point, is_line = update % self._every == 0, self._progress.is_due(update)
        # A loss that is looked at makes a GPU wait, and ranks for each other; on a CPU it costs nothing.
        if is_point or is_line or (terms["loss"].device.type == "cpu" and self._parts.ranks.is_alone):
            self._refuse_infinite(self._joined({"loss": float(terms["loss"])}), update)
        if is_point:
            self._add_points(update)
        if update in self._keep_at:
            self._keep(update)
        if is_line and self._parts.ranks.is_first:
            self._progress.show(update, float(terms["loss"]))

    def state(self) -> dict[str, Any]:
        """Return everything that the rest of the run depends on."""
        return {
            "learner": self._parts.learner.state(),
            "rows": json.dumps(self._updates.state()),
            "curve": [asdict(point) for point in self.curve],
            "criteria": list(self._criteria),
            "kept": [_kept_state(kept) for kept in self.kept],
            "stopped_early": self.stopped_early,
            "seconds": self.seconds,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from the state, to the same bits as if the run had never stopped."""
        learner, seeded = self._parts.learner, self._parts.seeded
        learner.load_state(state["learner"])
        self._updates.load_state(json.loads(state["rows"]))
        self.curve = [CurvePoint(**point) for point in state["curve"]]
        self.kept = [_kept_from(one) for one in state["kept"]]
        self._criteria = list(state["criteria"])
        self.stopped_early = bool(state["stopped_early"])
        self._progress = Progress(
            seeded.name, seeded.candidate.n_updates, done=learner.n_updates, seconds=state["seconds"]
        )
        structlog.get_logger().info("resumed", candidate=seeded.name, update=learner.n_updates)

    def _refuse_infinite(self, values: Mapping[str, float], update: int) -> None:
        candidate = self._parts.seeded.candidate
        if found := [f"the {name} is {value}" for name, value in values.items() if not math.isfinite(value)]:
            raise TrainingError(
                f"candidate {self._parts.seeded.name}: {', '.join(found)} at update {update} of {candidate.n_updates}; "
                f"lower its learning_rate ({candidate.learning_rate}) or look for extreme rewards"
            )

    def _add_points(self, update: int) -> None:
        sums = self._parts.learner.take_sums()
        self._point(update, "train", self._joined({n: v / self._every for n, v in sums.items()}))
        self._point(update, "validation", self._validation_metrics(update))

    def _validation_metrics(self, update: int) -> dict[str, float]:
        """Return the validation metrics of the networks as they are now; none where nothing is held out."""
        if self._parts.held_out is None:
            return {}
        metrics = _held_out_metrics(self._parts.learner, self._parts.held_out)
        self._refuse_infinite({f"validation {name}": value for name, value in metrics.items()}, update)
        return metrics

    def _joined(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the means over the rows of all ranks."""
        size = self._parts.seeded.candidate.batch_size
        return dict(zip(values, self._parts.ranks.mean(list(values.values()), batch_size=size), strict=True))

    def _point(self, update: int, split: str, values: Mapping[str, float]) -> None:
        seconds = round(self.seconds, 3)
        self.curve += [CurvePoint(update, seconds, split, name, value) for name, value in values.items()]

    def _keep(self, update: int) -> None:
        """Keep the network as it is now, and stop the run once none has been better for the candidate's patience."""
        method = self._parts.method
        network = method.network(self._parts.learner.algorithm)
        # A training loss tells of the weights before its update: those after it have met no batch yet.
        self._refuse_infinite(_weights_to_look_at(network), update)
        if update % self._every:  # else the curve's point has just looked
            self._validation_metrics(update)
        training, ranks = self._parts.training, self._parts.ranks
        scale = joined_scale(method.output_scale(network, training), training, ranks)
        self._refuse_infinite({"spread of outputs": scale}, update)
        kept = KeptNetwork(update, network, scale)
        self.kept.append(kept)
        is_last = update == self._parts.seeded.candidate.n_updates
        self.stopped_early = self._parts.ranks.decided(self._is_patience_over(update, kept)) and not is_last

    def _is_patience_over(self, update: int, kept: KeptNetwork) -> bool:
        if self._parts.criterion is None:
            return False
        self._criteria.append(self._parts.criterion(kept))
        self._point(update, "validation", {CRITERION_METRIC: self._criteria[-1]})
        patience = self._parts.seeded.candidate.patience
        return patience is not None and len(self._criteria) - 1 - int(np.argmax(self._criteria)) >= patience


def joined_scale(scale: float, training: ReplayColumns, ranks: Ranks) -> float:
    """Return the scale of outputs over all ranks' rows, their root mean square, given that of one rank's own."""
    if ranks.is_alone:
        return scale
    squares, rows = ranks.sums([training.n_transitions * scale**2, training.n_transitions])
    return math.sqrt(squares / rows)


def _keep_at(n_updates: int, n_checkpoints: int) -> frozenset[int]:
    """Return the updates after which a network is kept: evenly spaced, the last one among them."""
    return frozenset(max(1, round(n_updates * place / n_checkpoints)) for place in range(1, n_checkpoints + 1))


def _own_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a rank's state that differs from the others'."""
    return {"rows": state["rows"], "learner": {name: state["learner"][name] for name in ("sums", "random")}}


def _with_own(first: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rank's whole state, from rank 0's state and the rank's own part."""
    return {**first, "rows": own["rows"], "learner": {**first["learner"], **own["learner"]}}


def _held_out_metrics(learner: Learner, replay: Replay) -> dict[str, float]:
    """Return the loss terms, and the share of rows in which the greedy action is the logged one."""
    n = min(N_VALIDATION_ROWS, replay.n_transitions)
    batch = replay.batch(np.linspace(0, replay.n_transitions - 1, n).astype(np.int64))
    with torch.no_grad():
        values = {name: float(value) for name, value in learner.losses(batch).items()}
        greedy = learner.algorithm.impl.predict_best_action(batch.observations)
    return values | {"agreement": float((greedy == batch.actions.view(-1)).float().mean())}


def _weights_to_look_at(network: Network) -> dict[str, float]:
    """Return one weight of each array: one that isn't finite, where there is one."""
    arrays = network.to_tensors()
    return {f"weight {name}": float(array.flat[np.isfinite(array).argmin()]) for name, array in arrays.items()}


def _kept_state(kept: KeptNetwork) -> dict[str, Any]:
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in kept.network.to_tensors().items()}
    return {
        "update": kept.update,
        "output_scale": kept.output_scale,
        "kind": kept.network.kind,
        "tensors": tensors,
    }


def _kept_from(state: Mapping[str, Any]) -> KeptNetwork:
    arrays = {name: tensor.numpy() for name, tensor in state["tensors"].items()}
    return KeptNetwork(state["update"], network_from(state["kind"], arrays), state["output_scale"])
