"""The night's selected candidate, trained anew without the shoppers that it is judged on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import structlog

from conf.paths import Run
from rl.data.dataset import Dataset
from rl.data.discount_function import DiscountFunction
from rl.data.episode_selection import take_episodes
from rl.data.logged_episodes import FloatArray, IntArray, LoggedEpisodes
from rl.errors import EvaluationError
from rl.experiment.figures import Recipe
from rl.figures.night import read_figures
from rl.learning.candidates import find_candidate
from rl.learning.replay.replay_columns import columns_of
from rl.learning.replay.ruled_rows import Ruling
from rl.ope.effects.first_decisions import FirstDecisions


def find_recipe(run: Run, dataset: Dataset) -> tuple[Recipe | None, str | None]:
    """Return how the candidate that the night selected is trained; or why there is none, as a whole sentence."""
    if not run.evaluation.exists():
        return None, "No night was evaluated yet: run one, to have the pipeline's own policy among them."
    figures = read_figures(run.evaluation)
    if figures.dataset_digest != dataset.digest:
        return None, "The night was evaluated on another dataset: run it again, to have its policy among them."
    policy = dataset.pipeline.scenario.policy
    return Recipe(
        candidate=figures.selected.name,
        update=figures.selected.update,
        temperature=figures.selected.temperature,
        exploration_floor=policy.exploration_floor,
    ), None


def refitted_probabilities(
    dataset: Dataset, recipe: Recipe, episodes: LoggedEpisodes, decisions: FirstDecisions, fold: IntArray
) -> Mapping[str, FloatArray]:
    """Return what the candidate, trained on the other folds' episodes, does with each shopper, by its name.

    The observation encoder is the night's, fitted on its training shoppers' observations.

    Args:
        dataset: for scenario, encoder and vocabulary.
        recipe: of the night.
        episodes: all of them.
        decisions: their first decisions.
        fold: of each decision, `(n,)`.

    Raises:
        EvaluationError: training keeps no network after so many updates as the night's.
    """
    from rl.learning.policy_making import make_policy  # noqa: PLC0415  (torch takes seconds to import)
    from rl.learning.training import TrainingSettings, train_candidate  # noqa: PLC0415  (as above)

    seeded = find_candidate(dataset.pipeline.scenario, recipe.candidate)
    settings = TrainingSettings(
        discount=DiscountFunction.of(dataset.pipeline.scenario.discount),
        never_chosen=dataset.vocabulary.other_index,
        layout=dataset.encoder.token_layout(dataset.vocabulary),
        action_attributes=dataset.encoder.action_attributes(dataset.vocabulary),
        encoder=dataset.encoder,
    )
    chances = np.zeros(decisions.mask.shape)
    for k in range(int(fold.max()) + 1):
        structlog.get_logger().info("refitting", candidate=recipe.candidate, fold=k + 1)
        own = np.flatnonzero(fold == k)
        others = take_episodes(episodes, ~np.isin(episodes.unit, decisions.unit[own]))
        trained = train_candidate(seeded, columns_of(others, Ruling.of(dataset)), None, settings)
        kept = [one for one in trained.kept if one.update == recipe.update]
        if not kept:
            raise EvaluationError(
                f"{recipe.candidate} keeps no network after {recipe.update} updates; run the night again"
            )
        policy = make_policy(dataset, seeded, kept[0]).with_temperature(recipe.temperature)
        chances[own] = policy.probabilities(decisions.features[own], decisions.mask[own])
    return {recipe.candidate: chances}
