"""Which model of the behavior policy held-out shoppers speak for."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.ope.propensities.decisions import FittedBehavior, LoggedChoices, decisions_at, fit_marginal, with_uniform_share
from rl.ope.propensities.models import BEHAVIOR_MODELS, BehaviorModel, behavior_model
from rl.ope.samples.evaluation_probabilities import row_batches


@dataclass(frozen=True)
class BehaviorSettings:
    """How the behavior policy is estimated.

    Attributes:
        models: names to choose from.
        n_folds: shoppers are dealt into so many folds.
        n_repeats: times that shoppers are dealt anew and everything is fitted again.
        uniform_share: share of a uniform choice mixed in, so that no logged action gets a propensity near 0.
        max_rows: a fit uses at most this many rows, drawn at random.
        max_choice_rows: the same for fits that only serve the choice of a model, and for the rows it is judged on.
        n_choice_folds: of the folds, so many are held out for that choice.
        seed: of folds, draws and models.
    """

    models: tuple[str, ...] = tuple(BEHAVIOR_MODELS)
    n_folds: int = 4
    n_repeats: int = 1
    uniform_share: float = 1e-3
    max_rows: int = 20_000
    max_choice_rows: int = 8_000
    n_choice_folds: int = 2
    seed: int = 0


@dataclass(frozen=True)
class ModelTrial:
    """A model on shoppers that it didn't learn from.

    Attributes:
        model: the model's name in the registry of models.
        penalty: tried.
        log_loss: mean -log probability of the action taken.
        excess: log loss above the best trial's.
        excess_error: standard error of that, clustered by shopper.
    """

    model: str
    penalty: float
    log_loss: float
    excess: float
    excess_error: float


@dataclass(frozen=True)
class BehaviorChoice:
    """The model chosen, with what it was chosen by.

    Attributes:
        model: the model's name in the registry of models.
        penalty: the one chosen for that model.
        log_loss: its own, on held-out shoppers.
        log_loss_marginal: of each action's frequency among the available, on the same decisions.
        log_loss_uniform: of a uniform choice among the available, likewise.
        n_decisions: held out.
        trials: every model and penalty tried.
        left_out: models not tried, with the reason.
    """

    model: str
    penalty: float
    log_loss: float
    log_loss_marginal: float
    log_loss_uniform: float
    n_decisions: int
    trials: tuple[ModelTrial, ...]
    left_out: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name of the chosen model, for readers."""
        return behavior_model(self.model).title


@dataclass(frozen=True)
class _Split:
    """Decisions to learn from, and others, of other shoppers, to be judged on."""

    training: LoggedChoices
    held_out: LoggedChoices


def choose_behavior(episodes: LoggedEpisodes, fold: IntArray, settings: BehaviorSettings) -> BehaviorChoice:
    """Return the first model and penalty within one standard error of the smallest log loss on held-out shoppers.

    So a richer model must earn its place, and of equally likely penalties the weakest is taken: what a penalty takes
    off the probabilities is a bias that no number of shoppers averages out. The choice is of one name and one number
    and looks at all shoppers; whatever is fitted afterwards doesn't.

    Args:
        episodes: the log.
        fold: number of each row's fold, `(n,)`.
        settings: how values are estimated or models fitted.

    Raises:
        EvaluationError: no model is left to try.
    """
    splits = [_split(episodes, fold, held_out, settings) for held_out in range(settings.n_choice_folds)]
    entries = [behavior_model(name) for name in settings.models]
    tried = [entry for entry in entries if entry.max_actions is None or episodes.n_actions <= entry.max_actions]
    losses = {
        (entry.name, penalty): _losses(splits, entry, penalty, settings)
        for entry in tried
        for penalty in entry.penalties
    }
    if not losses:
        raise EvaluationError(f"no behavior model can be tried with {episodes.n_actions} actions; name others")
    unit = np.concatenate([split.held_out.unit for split in splits])
    trials = _trials(losses, unit)
    chosen = next(trial for trial in trials if trial.excess <= trial.excess_error)
    return BehaviorChoice(
        model=chosen.model,
        penalty=chosen.penalty,
        log_loss=chosen.log_loss,
        log_loss_marginal=float(np.concatenate([_marginal_losses(split, settings) for split in splits]).mean()),
        log_loss_uniform=float(np.log(np.concatenate([split.held_out.mask.sum(axis=1) for split in splits])).mean()),
        n_decisions=len(unit),
        trials=trials,
        left_out=tuple(
            f"{entry.name}: takes at most {entry.max_actions} actions, the log has {episodes.n_actions}"
            for entry in entries
            if entry not in tried
        ),
    )


def clustered_error(values: FloatArray, unit: IntArray) -> float:
    """Return the standard error of the mean of the values, clustered by unit; 0 with fewer than two units."""
    unit_ids, index = np.unique(unit, return_inverse=True)
    n_units = len(unit_ids)
    if n_units < 2:
        return 0.0
    residual = np.bincount(index, weights=values - values.mean(), minlength=n_units)
    return math.sqrt(float(np.square(residual).sum()) * n_units / (n_units - 1)) / len(values)


def _split(episodes: LoggedEpisodes, fold: IntArray, held_out: int, settings: BehaviorSettings) -> _Split:
    parts = [
        decisions_at(episodes, rows, max_rows=settings.max_choice_rows, seed=settings.seed)
        for rows in (np.flatnonzero(fold != held_out), np.flatnonzero(fold == held_out))
    ]
    return _Split(*parts)


def _losses(splits: list[_Split], entry: BehaviorModel, penalty: float, settings: BehaviorSettings) -> FloatArray:
    """Return the -log probability of each held-out action, `(n_held_out,)`."""
    return np.concatenate(
        [
            _held_out_losses(entry.fit(split.training, penalty=penalty, seed=settings.seed), split.held_out, settings)
            for split in splits
        ]
    )


def _marginal_losses(split: _Split, settings: BehaviorSettings) -> FloatArray:
    return _held_out_losses(fit_marginal(split.training), split.held_out, settings)


def _held_out_losses(fitted: FittedBehavior, held_out: LoggedChoices, settings: BehaviorSettings) -> FloatArray:
    found = np.empty(held_out.n_decisions)
    for rows in row_batches(held_out.n_decisions, held_out.n_actions):
        mask = held_out.mask[rows]
        mixed = with_uniform_share(fitted.probabilities(held_out.features[rows], mask), mask, settings.uniform_share)
        found[rows] = -np.log(mixed[np.arange(len(mask)), held_out.action[rows]])
    return found


def _trials(losses: dict[tuple[str, float], FloatArray], unit: IntArray) -> tuple[ModelTrial, ...]:
    """Return the trials in the order tried: models as in the registry, penalties of each from the weakest."""
    best = min(losses.values(), key=lambda found: float(found.mean()))
    return tuple(
        ModelTrial(
            model=name,
            penalty=penalty,
            log_loss=float(found.mean()),
            excess=float((found - best).mean()),
            excess_error=clustered_error(found - best, unit),
        )
        for (name, penalty), found in losses.items()
    )
