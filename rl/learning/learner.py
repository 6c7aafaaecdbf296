"""An algorithm in training: updates, loss terms, and everything that a resumed run needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

# isort: off
import rl.learning.quiet_d3rlpy  # noqa: F401  (before anything of d3rlpy)

# isort: on
import torch
from d3rlpy.torch_utility import TorchMiniBatch
from torch import nn

from conf.specs.candidate import Candidate, ContinuousCandidate
from rl.errors import TrainingError
from rl.learning.algorithms.registry import ALGORITHMS, CONTINUOUS_ALGORITHMS
from rl.learning.networks.attribute_head import score_by_attributes
from rl.learning.networks.sequence_encoders import bind_layout
from rl.learning.updates.captured_call import CapturedCall, CudaRecorder, Recorder
from rl.learning.updates.fast_update import optimizers_of
from rl.policy.network import FeatureArray
from rl.policy.token_layout import TokenLayout

Gather = Callable[[torch.Tensor], TorchMiniBatch]


class Learner:
    """One algorithm with its networks and optimizers.

    Attributes:
        algorithm: d3rlpy's, built.
        n_updates: done so far.
    """

    def __init__(self, algorithm: Any, *, recorder: Recorder | None = None) -> None:
        """Make a learner that is ready for the first update.

        Args:
            algorithm: d3rlpy's, built.
            recorder: of graphs; None runs every update as it is written.
        """
        self.algorithm = algorithm
        self.n_updates = 0
        self._recorder = recorder
        self._captured: dict[Any, CapturedCall] = {}
        self._sums: dict[str, torch.Tensor] = {}

    def update(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Do one update and return its loss terms, on the device and valid until the next update."""
        if self._recorder is None:
            return self._update_plainly(batch)
        return self._update_captured(
            self._recorder, ("batch",), _tensors_of(batch), lambda *tensors: _with_tensors(batch, tensors)
        )

    def update_rows(self, rows: torch.Tensor, gather: Gather) -> dict[str, torch.Tensor]:
        """Do one update on the batch that `gather` makes of the rows, which a graph then repeats too.

        Args:
            rows: `(batch_size,)`, on the device.
            gather: of a replay that is on the device; the same function on every call.
        """
        if self._recorder is None:
            return self._update_plainly(gather(rows))
        return self._update_captured(self._recorder, ("rows", gather), (rows,), gather)

    def losses(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        """Return the loss terms of a batch, without an update."""
        terms: dict[str, torch.Tensor] = self.algorithm.impl.losses(batch)
        return terms

    def take_sums(self) -> dict[str, float]:
        """Return the sums of the loss terms of all updates since the last call; this waits for a GPU."""
        taken = {name: float(total) for name, total in self._sums.items()}
        for total in self._sums.values():
            total.zero_()
        return taken

    def state(self) -> dict[str, Any]:
        """Return copies of networks, targets, optimizers, schedules, number of updates, sums and random generators.

        Only tensors, numbers, strings, tuples, lists and dicts, as `torch.save` writes and `torch.load` reads with
        `weights_only`.
        """
        parts = _parts(self.algorithm.impl.modules)
        random = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            random["cuda"] = torch.cuda.get_rng_state(self._device)
        states = {name: part.state_dict() for name, part in parts.items()}
        copied: dict[str, Any] = _copied(
            {"n_updates": self.n_updates, "parts": states, "sums": self._sums, "random": random}
        )
        return copied

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take up the state, so that updates go on to the same bits as if they had never stopped.

        Raises:
            TrainingError: the state is another algorithm's, or of other networks.
        """
        parts = _parts(self.algorithm.impl.modules)
        if set(parts) != set(state["parts"]):
            found, expected = sorted(state["parts"]), sorted(parts)
            raise TrainingError(f"the state holds {found}, this algorithm has {expected}; train it anew")
        try:
            for name, part in parts.items():
                part.load_state_dict(_copied(state["parts"][name]))
        except (RuntimeError, ValueError, KeyError) as error:
            raise TrainingError(f"the state is of other networks: {error}; train the candidate anew") from error
        self.n_updates = int(state["n_updates"])
        self._sums = {name: total.to(self._device, copy=True) for name, total in state["sums"].items()}
        torch.set_rng_state(state["random"]["cpu"].cpu())
        if self._device.type == "cuda" and "cuda" in state["random"]:
            torch.cuda.set_rng_state(state["random"]["cuda"].cpu(), self._device)
        # A graph reads the memory that it was recorded on, which loading has replaced.
        self._captured = {}

    def _update_plainly(self, batch: TorchMiniBatch) -> dict[str, torch.Tensor]:
        self.n_updates += 1
        return self._summed(self.algorithm.impl.update_on_device(batch, self.n_updates))

    def _update_captured(
        self, recorder: Recorder, key: Any, inputs: tuple[torch.Tensor, ...], make_batch: Callable[..., TorchMiniBatch]
    ) -> dict[str, torch.Tensor]:
        self.n_updates += 1
        impl = self.algorithm.impl
        impl.modules.set_train()
        if key not in self._captured:
            self._captured[key] = CapturedCall(
                lambda *tensors: self._summed(impl.learn_on_device(make_batch(*tensors), 0)), recorder
            )
        terms = self._captured[key](*inputs)
        impl.follow(self.n_updates)
        return terms

    def _summed(self, terms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the terms after adding them to their sums in place, which a graph does without a launch of its own."""
        for name, value in terms.items():
            if name not in self._sums:
                self._sums[name] = torch.zeros((), dtype=torch.float64, device=value.device)
            self._sums[name].add_(value)
        return terms

    @property
    def _device(self) -> torch.device:
        return torch.device(self.algorithm.impl.device)


def make_learner(
    candidate: Candidate | ContinuousCandidate,
    *,
    observation_shape: Any,
    action_size: int,
    gamma: float,
    device: str = "cpu",
    is_captured: bool | None = None,
    layout: TokenLayout | None = None,
    action_attributes: FeatureArray | None = None,
) -> Learner:
    """Return a learner of the candidate, its networks drawn from torch's generator.

    Args:
        candidate: what to train.
        observation_shape: shapes of features and mask, as `Replay.observation_shape`.
        action_size: number of actions; of a continuous algorithm, their dimension.
        gamma: discount per step, or per part of a day where batches count those that passed.
        device: for torch.
        is_captured: whether updates become a CUDA graph; None for wherever they can.
        layout: which columns of the features are tokens; None where none are.
        action_attributes: of each action, `(action_size, n_attributes)`; None where nothing is known of them.

    Raises:
        TrainingError: the candidate scores actions by attributes, and nothing is known of them.
    """
    if isinstance(candidate, Candidate):
        algorithm = ALGORITHMS[candidate.algorithm].create(candidate, gamma=gamma, device=device)
    else:
        algorithm = CONTINUOUS_ALGORITHMS[candidate.algorithm].create(candidate, gamma=gamma, device=device)
    bind_layout(algorithm.config, layout)
    algorithm.create_impl(observation_shape, action_size)
    if isinstance(candidate, Candidate) and candidate.action_scores == "by_attributes":
        if action_attributes is None:
            raise TrainingError(
                f"{candidate.algorithm} scores actions by_attributes, and the dataset knows none of them; run prepare "
                "again with action.attributes in the scenario"
            )
        score_by_attributes(algorithm.impl, torch.from_numpy(action_attributes))
    can_be = torch.device(device).type == "cuda" and isinstance(candidate, Candidate)
    return Learner(algorithm, recorder=CudaRecorder(device) if can_be and is_captured is not False else None)


def _parts(modules: Any) -> dict[str, Any]:
    """Return the networks and optimizers by name."""
    named = {field.name: getattr(modules, field.name) for field in fields(modules)}
    networks = {name: part for name, part in named.items() if isinstance(part, nn.Module)}
    return networks | optimizers_of(modules)


def _copied(value: Any) -> Any:
    """Return a copy of the state with tensors of its own."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copied(one) for one in value)
    return value


_COLUMNS = ("actions", "rewards", "next_actions", "returns_to_go", "terminals", "intervals")


def _tensors_of(batch: TorchMiniBatch) -> tuple[torch.Tensor, ...]:
    return (*batch.observations, *batch.next_observations, *(getattr(batch, name) for name in _COLUMNS))


def _with_tensors(batch: TorchMiniBatch, tensors: tuple[torch.Tensor, ...]) -> TorchMiniBatch:
    """Return a batch like the given one, of these tensors."""
    n = len(batch.observations)
    now, following, columns = tensors[:n], tensors[n : 2 * n], tensors[2 * n :]
    named = dict(zip(_COLUMNS, columns, strict=True))
    return TorchMiniBatch(observations=list(now), next_observations=list(following), device=batch.device, **named)
