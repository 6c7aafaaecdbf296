"""The losses of all splits under a night's candidate and baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from rl.data.dataset import Dataset
from rl.data.logged_episodes import LoggedEpisodes
from rl.errors import EvaluationError
from rl.gate.split_contributions import PolicyOnSplits, split_contributions
from rl.gate.split_losses import SplitLosses, split_losses
from rl.ope.contenders import Contender
from rl.ope.propensities.known import know_propensities
from rl.ope.report import EvaluationSettings
from rl.policy.observation_encoder import ObservationEncoder


@dataclass(frozen=True)
class BeforeTest:
    """Training and validation episodes of a night, with a propensity for each logged decision.

    Attributes:
        train: in the dataset's own encoding.
        validation: likewise.
    """

    train: LoggedEpisodes
    validation: LoggedEpisodes

    @classmethod
    def of(cls, train: LoggedEpisodes, validation: LoggedEpisodes, *, is_logged: bool) -> BeforeTest:
        """Return the splits, the training split's missing propensities estimated, as validation's are already."""
        return cls(know_propensities(train, is_logged=is_logged).episodes, validation)

    def seen_by(self, encoder: ObservationEncoder, dataset: Dataset) -> tuple[LoggedEpisodes, LoggedEpisodes]:
        """Return both splits in another encoding, with the same propensities."""
        train, validation = (dataset.to_logged_episodes(split, encoder) for split in ("train", "validation"))
        return (
            replace(train, propensity=self.train.propensity),
            replace(validation, propensity=self.validation.propensity),
        )


def night_losses(
    compared: Sequence[Contender],
    before: Sequence[tuple[LoggedEpisodes, LoggedEpisodes]],
    *,
    settings: EvaluationSettings,
    estimator: str,
) -> SplitLosses | str:
    """Return the losses of all splits, or why they are unknown.

    Args:
        compared: the candidate, and the champion where it is the baseline.
        before: training and validation episodes as each of them sees them, with propensities.
        settings: of the night's evaluation.
        estimator: the one the gate may use.
    """
    structlog.get_logger().info("counting losses of all splits", policy=compared[0].name)
    on_splits = [
        PolicyOnSplits(one.name, one.policy, splits, one.test) for one, splits in zip(compared, before, strict=True)
    ]
    try:
        return split_losses(split_contributions(on_splits, settings=settings, estimator=estimator))
    except EvaluationError as error:
        return str(error)
