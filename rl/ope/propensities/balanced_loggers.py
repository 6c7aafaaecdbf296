"""Logs made by several policies, weighted as if their mixture had made them.

Weighting each row by its own logger's propensity stays unbiased, but a row that its logger seldom chose gets a large
weight even where another logger chose the same often. The mixture's propensity knows that.

No command reaches it yet: it waits for served policies, which can be asked again (`balanced_log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes, Policy
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.ope.samples.episode_products import rows_at_step
from rl.ope.samples.evaluation_probabilities import logged_action_probabilities

_PROPENSITY_TOLERANCE = 1e-3  # policies may compute in float32, over thousands of actions


@dataclass(frozen=True)
class EpisodeLoggers:
    """Who made each episode.

    Attributes:
        versions: names of the policy versions that made any.
        logger: index into `versions`, `(n_episodes,)`.
    """

    versions: tuple[str, ...]
    logger: IntArray

    @property
    def shares(self) -> FloatArray:
        """Share of the episodes that each version made, `(n_versions,)`."""
        return np.bincount(self.logger, minlength=len(self.versions)) / len(self.logger)


def episode_loggers(episodes: LoggedEpisodes) -> EpisodeLoggers:
    """Return the policy version that made each episode.

    Raises:
        UnsupportedEstimator: several versions share an episode.
    """
    first = episodes.policy_version[episodes.offsets[:-1]]
    mixed = np.unique(episodes.episode[episodes.policy_version != first[episodes.episode]])
    if mixed.size:
        raise UnsupportedEstimator(
            f"{mixed.size} of {episodes.n_episodes} episodes were made by several policy versions (such as episodes "
            f"{mixed[:5].tolist()}); take as_decisions() to judge each decision by its own"
        )
    codes, logger = np.unique(first, return_inverse=True)
    return EpisodeLoggers(tuple(_version_name(episodes, code) for code in codes.tolist()), logger.astype(np.int64))


def balanced_log(episodes: LoggedEpisodes, loggers: Mapping[str, Policy]) -> LoggedEpisodes:
    """Return the log as if the mixture of its loggers, each by its share of the episodes, had made it.

    Any weighted estimator on it is its balanced form: on one-step episodes `ips` is the balanced IPS, unbiased and
    never of larger variance than weighting each row by its own logger's propensity.

    Args:
        episodes: with each row's `policy_version`.
        loggers: by policy version, every policy that made an episode.

    Raises:
        UnsupportedEstimator: a version can't be asked for its probabilities, or several share an episode.
        EvaluationError: a policy isn't the one that the log says it is.

    Source: Agarwal, Basu, Schnabel and Joachims (2017), the balanced estimator; for longer episodes the balance
    heuristic of Veach and Guibas (1995) over whole trajectories.
    """
    made_by = episode_loggers(episodes)
    return replace(episodes, propensity=mixture_propensities(episodes, made_by, logger_propensities(episodes, loggers)))


def logger_propensities(episodes: LoggedEpisodes, loggers: Mapping[str, Policy]) -> FloatArray:
    """Return the probability of each logged action under every version that made an episode, `(n, n_versions)`.

    Raises:
        UnsupportedEstimator: a version can't be asked.
        EvaluationError: where its own rows say otherwise.
    """
    made_by = episode_loggers(episodes)
    row_logger = made_by.logger[episodes.episode]
    missing = [
        f"{version} ({(row_logger == code).sum()} decisions)"
        for code, version in enumerate(made_by.versions)
        if version not in loggers
    ]
    if missing:
        raise UnsupportedEstimator(
            f"how likely the logged actions were under {', '.join(missing)} is unknown: the balanced form needs every "
            "policy that made the log; the weighted form needs logged propensities alone"
        )
    propensities = np.column_stack(
        [logged_action_probabilities(loggers[version], episodes) for version in made_by.versions]
    )
    _check_own_rows(episodes, propensities[np.arange(episodes.n_transitions), row_logger])
    return propensities


def mixture_propensities(episodes: LoggedEpisodes, made_by: EpisodeLoggers, propensities: FloatArray) -> FloatArray:
    """Return each logged action's probability given its episode so far, for a version drawn per episode, `(n,)`.

    Within an episode the versions' shares follow what it has shown, so that the product over its steps is the
    mixture's probability of all of them: sum_j share_j prod_t mu_j(a_t|x_t).

    Args:
        episodes: the log.
        made_by: its loggers.
        propensities: of the logged actions under each version, `(n, n_versions)`.

    Raises:
        EvaluationError: a shape that doesn't fit, values outside [0, 1], or rows that no version can have made.
    """
    _check_propensities(episodes, made_by, propensities)
    mixture = np.empty(episodes.n_transitions)
    posterior = np.tile(made_by.shares, (episodes.n_episodes, 1))
    for step in range(int(episodes.lengths.max())):
        rows, running = rows_at_step(episodes.offsets, step)
        joint = posterior[running] * propensities[rows]
        mixture[rows] = joint.sum(axis=1)
        posterior[running] = joint / np.maximum(joint.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    if (bad := np.flatnonzero(mixture <= 0)).size:
        raise EvaluationError(f"rows {bad[:5].tolist()} hold actions that no policy of the log can have taken")
    return np.minimum(mixture, 1.0)  # a policy's probability may exceed 1 by rounding


def _check_own_rows(episodes: LoggedEpisodes, own: FloatArray) -> None:
    """Raise if a row's own logger doesn't give the propensity that was logged."""
    wrong = np.abs(own / episodes.propensity - 1) > _PROPENSITY_TOLERANCE
    if (bad := np.flatnonzero(wrong | (own <= 0))).size:
        raise EvaluationError(
            f"rows {bad[:5].tolist()} ({bad.size} in all): the policy given for their version takes the logged action "
            f"with probability {own[bad[0]]:.4g}, the log says {episodes.propensity[bad[0]]:.4g}; is that the version?"
        )


def _check_propensities(episodes: LoggedEpisodes, made_by: EpisodeLoggers, propensities: FloatArray) -> None:
    expected = (episodes.n_transitions, len(made_by.versions))
    if propensities.shape != expected:
        raise EvaluationError(f"propensities by version have shape {propensities.shape}, expected {expected}")
    is_known = (propensities >= 0) & (propensities <= 1 + _PROPENSITY_TOLERANCE)
    if (bad := np.flatnonzero(~is_known.all(axis=1))).size:
        raise EvaluationError(f"rows {bad[:5].tolist()} have a propensity under some version outside [0, 1]")


def _version_name(episodes: LoggedEpisodes, code: int) -> str:
    names = episodes.policy_versions
    return names[code] if 0 <= code < len(names) else f"version {code}"
