"""Neural fitted Q evaluation of many policies in one network and one pass over the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from rl.data.logged_episodes import FloatArray, IntArray
from rl.errors import EvaluationError
from rl.ope.q_functions.fqe_neural import NeuralQ, StackedQ, Standardization
from rl.ope.q_functions.fqe_settings import FqeSettings
from rl.ope.q_functions.fqe_task import FqeTask
from rl.ope.q_functions.next_probabilities import NextProbabilities
from rl.ope.samples.evaluation_probabilities import row_batches


def fit_stacked(
    tasks: Sequence[FqeTask], *, factors: FloatArray, settings: FqeSettings
) -> list[tuple[NeuralQ, tuple[float, ...]]]:
    """Return each task's network and its mean squared error per round, in squared reward units.

    All tasks see the same batches of rows. The target network is the network as it stood at the start of the round,
    evaluated once over the rows that the round draws: the same targets as evaluating it in every gradient step, at a
    fraction of the work when there are many actions. With separate networks a fit doesn't depend on its companions: the
    loss is a sum, so no gradient of one reaches another.

    Args:
        tasks: over the same rows.
        factors: discount to the next observation, `(n,)`; rows after which nothing follows have no next value.
        settings: how Q-functions are fitted.

    Raises:
        EvaluationError: a loss stops being finite.
    """
    fit = _StackedFit(tasks, factors, settings)
    return fit.functions(fit.run())


class _StackedFit:
    """One network over the tasks, and what its gradient steps read."""

    def __init__(self, tasks: Sequence[FqeTask], factors: FloatArray, settings: FqeSettings) -> None:
        self._tasks, self._settings = tasks, settings
        self._episodes = tasks[0].episodes
        self._standardization = Standardization.of(self._episodes.features)
        self._network = StackedQ(
            self._episodes.features.shape[1],
            [task.episodes.n_actions for task in tasks],
            hidden=settings.hidden,
            seed=settings.seed,
            is_shared=settings.networks == "shared",
            device=settings.device,
            action_attributes=settings.action_attributes,
        )
        self._scales = [float(task.outcome.std()) or 1.0 for task in tasks]  # all rewards equal: any scale serves
        self._inputs = self._standardization.inputs(self._episodes.features, settings.device)
        self._head_rows = self._network.head_rows([task.episodes.action for task in tasks])
        scaled = [task.outcome / scale for task, scale in zip(tasks, self._scales, strict=True)]
        self._reward = torch.from_numpy(np.stack(scaled).astype(np.float32)).to(settings.device)
        self._discount = torch.from_numpy(factors.astype(np.float32)).to(settings.device)
        cells = settings.max_probability_cells // len(tasks)
        self._probabilities = [NextProbabilities(task.policy, task.episodes, max_cells=cells) for task in tasks]

    def run(self) -> npt.NDArray[np.float64]:
        """Fit the network; return mean squared errors in squared network units, `(n_rounds, n_tasks)`."""
        settings = self._settings
        per_round = max(1, math.ceil(settings.n_updates / settings.n_rounds))
        optimizer = torch.optim.Adam(self._network.parameters, lr=settings.learning_rate, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, settings.n_rounds * per_round, eta_min=settings.learning_rate / 100
        )
        order = _row_order(self._episodes.n_transitions, settings)
        errors = np.empty((settings.n_rounds, len(self._tasks)))
        for fit_round in range(settings.n_rounds):
            batches = [next(order) for _ in range(per_round)]
            # The first round starts from value 0, as the linear fit does: an untrained network's guesses are noise.
            target = self._targets(batches) if fit_round else self._reward
            losses = []
            for batch in batches:
                losses.append(self._step(torch.from_numpy(batch).to(settings.device), target, optimizer))
                schedule.step()
            errors[fit_round] = torch.stack(losses).mean(dim=0).cpu().numpy()
            self._require_finite(errors[fit_round], fit_round)
        return errors

    def functions(self, errors: npt.NDArray[np.float64]) -> list[tuple[NeuralQ, tuple[float, ...]]]:
        """Return each task's own network and curve."""
        return [
            (
                self._network.function(number, standardization=self._standardization, scale=scale),
                tuple((errors[:, number] * scale**2).tolist()),
            )
            for number, scale in enumerate(self._scales)
        ]

    def _step(self, rows: torch.Tensor, target: torch.Tensor, optimizer: torch.optim.Optimizer) -> torch.Tensor:
        """Do one gradient step and return the mean squared error of each task before it, `(n_tasks,)`."""
        values = self._network.of_actions(self._inputs[rows], self._head_rows[:, rows])
        loss = (values - target[:, rows]).square().mean(dim=1)
        optimizer.zero_grad(set_to_none=True)
        loss.sum().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        return loss.detach()

    def _targets(self, batches: Sequence[IntArray]) -> torch.Tensor:
        """Return reward plus discounted next value on the batches' rows, `(n_tasks, n)`; other rows hold the reward."""
        target = self._reward.clone()
        drawn = np.zeros(self._episodes.n_transitions, dtype=bool)
        drawn[np.concatenate(batches)] = True
        following = np.flatnonzero(drawn & ~self._episodes.terminal)
        for chunk in row_batches(len(following), self._network.cells_per_row):
            rows = following[chunk]
            inputs = self._standardization.inputs(self._episodes.next_features[rows], self._settings.device)
            weights = [torch.from_numpy(found.at(rows)).to(self._settings.device) for found in self._probabilities]
            places = torch.from_numpy(rows).to(self._settings.device)
            target[:, places] += self._discount[places] * self._network.expected(inputs, weights)
        return target

    def _require_finite(self, errors: npt.NDArray[np.float64], fit_round: int) -> None:
        for task, error in zip(self._tasks, errors, strict=True):
            if not math.isfinite(error):
                raise EvaluationError(
                    f"neural fitted Q evaluation of policy {task.policy.version} diverged in round {fit_round}: "
                    "lower the learning rate"
                )


def _row_order(n_rows: int, settings: FqeSettings) -> Iterator[IntArray]:
    """Yield batches of rows for ever, each row once per pass."""
    generator = np.random.default_rng(settings.seed)
    while True:
        shuffled: IntArray = generator.permutation(n_rows)
        for start in range(0, n_rows, settings.batch_size):
            batch = shuffled[start : start + settings.batch_size]
            if len(batch) == settings.batch_size or start == 0:  # a small last batch would be a noisy step
                yield batch
