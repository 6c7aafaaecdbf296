"""Everything that explains one policy, on samples of test decisions: seconds, whatever the size of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rl.data.logged_episodes import IntArray, LoggedEpisodes
from rl.data.shopper_segments import Names, segments_of
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.night.explanation.attribution import Attributions, attribute, mean_observation
from rl.night.explanation.departures import Departures, departures
from rl.night.explanation.faithfulness import Removal, RemovalSettings, removal_effects
from rl.night.explanation.importance import FeatureImportance, feature_importances
from rl.night.explanation.margins import preferences
from rl.night.explanation.readable_features import readable_observations
from rl.night.explanation.surrogate import Surrogate, surrogate_tree
from rl.night.explanation.surrogate_target import TargetKind, surrogate_target, usual_actions
from rl.ope.samples.evaluation_probabilities import checked_probabilities, row_batches
from rl.policy import StochasticPolicy


@dataclass(frozen=True)
class ExplanationSettings:
    """How many test decisions each part looks at, drawn at random.

    Attributes:
        n_attributed: for attributions, the slowest part.
        n_imitated: for the surrogate tree.
        n_compared: with the log.
        level: of all intervals, two-sided.
        seed: of the draws.
    """

    n_attributed: int = 1000
    n_imitated: int = 6000
    n_compared: int = 20_000
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class ExplainedLog:
    """The test decisions, as the network sees them and as a person reads them.

    Attributes:
        train: its mean observation is the baseline, its actions are the usual ones.
        test: encoded, with propensities where they are known.
        observation: the same rows, feature name -> `(n,)` or `(n, length)`.
        names: natural key by id, of actions and categories.
        categories: category by natural key of the action; may be empty.
    """

    train: LoggedEpisodes
    test: LoggedEpisodes
    observation: Mapping[str, IntArray]
    names: Names = field(default_factory=dict)
    categories: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit_of_row(self) -> IntArray:
        return self.test.unit[self.test.episode]

    def observed(self, rows: IntArray) -> dict[str, IntArray]:
        """Return the observations of these rows."""
        return {name: values[rows] for name, values in self.observation.items()}


@dataclass(frozen=True)
class Imitation:
    """The surrogate tree, or why there is none; `kind` is what it speaks of."""

    kind: TargetKind | None
    tree: Surrogate | None
    refusal: str | None = None


@dataclass(frozen=True)
class Explanation:
    """Everything that explains one policy.

    Attributes:
        rows: test rows whose decisions were attributed, `(n,)`; the attributions' own rows count among these.
        attributions: what each feature adds to the margin over the runner-up.
        importances: of all features, the largest first.
        removal: whether the attributions can be believed.
        imitation: by a small tree.
        departures: from the log; None where there is nothing to depart from.
        departures_refusal: why there are no departures; empty where there are.
    """

    rows: IntArray
    attributions: Attributions
    importances: tuple[FeatureImportance, ...]
    removal: Removal
    imitation: Imitation
    departures: Departures | None
    departures_refusal: str | None


def explain_policy(
    policy: StochasticPolicy, log: ExplainedLog, *, is_logged: bool, settings: ExplanationSettings | None = None
) -> Explanation:
    """Return the explanation of the policy on the log's test decisions.

    Args:
        policy: with the encoder that made `log.test`.
        log: where it is looked at.
        is_logged: False where decisions are implied: then there is no logging policy to depart from.
        settings: sizes of the samples.

    Raises:
        UnsupportedEstimator: no decision leaves a choice between two actions.
    """
    chosen = settings or ExplanationSettings()
    rows = _sample(log.test.n_transitions, chosen.n_attributed, chosen.seed)
    attributions = attribute(
        policy, log.test.features[rows], log.test.mask(rows), baseline=mean_observation(log.train.features)
    )
    unit = log.unit_of_row[rows[attributions.preferences.rows]]
    if len(np.unique(unit)) < 2:
        raise UnsupportedEstimator("hardly any decision leaves a choice of actions: there is nothing to explain")
    removal = removal_effects(policy, attributions, unit, RemovalSettings(level=chosen.level, seed=chosen.seed))
    found, refusal = _departures(policy, log, chosen, is_logged=is_logged)
    return Explanation(
        rows=rows,
        attributions=attributions,
        importances=feature_importances(attributions, unit, level=chosen.level),
        removal=removal,
        imitation=_imitation(policy, log, chosen),
        departures=found,
        departures_refusal=refusal,
    )


def _imitation(policy: StochasticPolicy, log: ExplainedLog, settings: ExplanationSettings) -> Imitation:
    rows = _sample(log.test.n_transitions, settings.n_imitated, settings.seed + 1)
    mask = log.test.mask(rows)
    preferred = preferences(policy, log.test.features[rows], mask)
    rows, mask = rows[preferred.rows], mask[preferred.rows]
    usual = usual_actions(log.train, policy.choosable(policy.ruled(log.test.features[rows], mask)))
    target = surrogate_target(preferred.chosen, usual, policy.vocabulary.names, log.categories)
    features = [column.name for column in policy.encoder.columns]
    try:
        tree = surrogate_tree(
            readable_observations(log.observed(rows), features, log.names),
            target.labels,
            target.names,
            log.unit_of_row[rows],
            level=settings.level,
            seed=settings.seed,
        )
    except EvaluationError as error:
        return Imitation(target.kind, None, str(error))
    return Imitation(target.kind, tree)


def _departures(
    policy: StochasticPolicy, log: ExplainedLog, settings: ExplanationSettings, *, is_logged: bool
) -> tuple[Departures | None, str | None]:
    if not is_logged:
        return None, "the decisions are implied, not logged: there is no logging policy to depart from"
    rows = _sample(log.test.n_transitions, settings.n_compared, settings.seed + 2)
    taken = np.empty(len(rows))
    for batch in row_batches(len(rows), log.test.n_actions):
        probabilities = checked_probabilities(policy, log.test.features[rows[batch]], log.test.mask(rows[batch]))
        taken[batch] = probabilities[np.arange(len(probabilities)), log.test.action[rows[batch]]]
    segments = segments_of(log.observed(rows), log.names, of_episodes=False)
    try:
        return departures(
            taken, log.test.propensity[rows], log.unit_of_row[rows], segments=segments, level=settings.level
        ), None
    except EvaluationError as error:
        return None, str(error)


def _sample(n: int, at_most: int, seed: int) -> IntArray:
    """Return row numbers drawn without replacement, ascending; all of them where there are no more."""
    if n <= at_most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, at_most, replace=False))
