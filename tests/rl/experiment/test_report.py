"""A log of several decisions a shopper, with masks, is read as an experiment; logs that are none are refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from conf.paths import Lake, Run
from rl.data.dataset import Dataset, prepare_dataset
from rl.data.discount_function import DiscountFunction
from rl.errors import EvaluationError, UnsupportedEstimator
from rl.experiment.figures import Recipe
from rl.experiment.night_recipe import find_recipe, refitted_probabilities
from rl.experiment.report import report_experiment
from rl.ope.effects.crossfit import deal_shoppers
from rl.ope.effects.first_decisions import first_decisions
from tests.rl.factories import (
    FIRST_DAY,
    availability_id,
    available_items,
    make_pipeline,
    shop_rows,
    write_availability,
    write_transitions,
)

CANDIDATES = [{"algorithm": "bc", "seeds": [1], "n_updates": 20, "hidden_units": [8]}]
RECIPE = Recipe(candidate="bc-1", update=20, temperature=1.0, exploration_floor=0.1)


def shop(folder: Path, *, n_items: int) -> tuple[Dataset, Run]:
    pipeline = make_pipeline(candidates=CANDIDATES, metrics={}, gate={"guardrails": []})
    lake = Lake(folder, "simulated_shop")
    for day in (FIRST_DAY + timedelta(days=number) for number in range(16)):
        rows = shop_rows(pipeline, day, n_episodes=40, n_items=n_items, n_users=300)
        write_transitions(lake, pipeline, day, rows)
        write_availability(lake, pipeline, day, {availability_id(day): available_items(day, n_items)})
    last = FIRST_DAY + timedelta(days=15)
    return prepare_dataset(pipeline, lake, last), Run(folder, "simulated_shop", "recommendation", last)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Run]:
    return shop(tmp_path_factory.mktemp("shop"), n_items=4)


def test_first_decisions_of_sessions_are_an_experiment(small: tuple[Dataset, Run]) -> None:
    """Each shopper once, over all splits; without costs and without a night the page says so and has the rest."""
    dataset, run = small
    found = report_experiment(dataset, run, horizon=run.date, code_hash="code")
    assert 200 < found.n_shoppers <= len(np.unique(dataset.published.transitions.user))  # not of sessions at the end
    assert found.steps > 1
    assert {arm.name for arm in found.outcomes[0].arms} == set(dataset.vocabulary.names)
    assert "declares no cost of its actions" in (found.spend_refusal or "")
    assert found.deciles is None
    assert found.recipe_refusal is not None


def test_the_night_s_candidate_never_sees_whom_it_is_judged_on(small: tuple[Dataset, Run]) -> None:
    """Probabilities of a fold stay when its own shoppers' actions and rewards are others; masked actions have none."""
    dataset, _ = small
    episodes = dataset.to_logged_episodes("train")
    decisions = first_decisions(episodes, DiscountFunction(0.9))
    fold = deal_shoppers(decisions.n, 2, 0)
    (before,) = refitted_probabilities(dataset, RECIPE, episodes, decisions, fold).values()
    np.testing.assert_allclose(before.sum(axis=1), 1)
    assert not before[~decisions.mask].any()
    own = np.isin(episodes.unit[episodes.episode], decisions.unit[fold == 0])
    others = replace(episodes, reward=np.where(own, 9.0, episodes.reward))
    (after,) = refitted_probabilities(dataset, RECIPE, others, decisions, fold).values()
    np.testing.assert_array_equal(before[fold == 0], after[fold == 0])
    with pytest.raises(EvaluationError, match="bc-1 keeps no network after 7 updates"):
        refitted_probabilities(dataset, RECIPE.model_copy(update={"update": 7}), episodes, decisions, fold)


def test_a_night_of_another_dataset_lends_no_policy(
    small: tuple[Dataset, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its candidate, update and temperature belong to other shoppers; a night of this dataset lends them."""
    dataset, run = small
    run.folder.mkdir(parents=True, exist_ok=True)
    run.evaluation.write_text("{}")
    selected = SimpleNamespace(name="bc-1", update=20, temperature=1.0)
    for digest, is_lent in (("other", False), (dataset.digest, True)):
        figures = SimpleNamespace(dataset_digest=digest, selected=selected)
        monkeypatch.setattr("rl.experiment.night_recipe.read_figures", lambda _path, found=figures: found)
        recipe, why = find_recipe(run, dataset)
        assert (recipe == RECIPE) is is_lent
        assert (why is None) is is_lent
    run.evaluation.unlink()


def test_logs_that_are_no_experiment_are_refused(small: tuple[Dataset, Run], tmp_path: Path) -> None:
    """Implied decisions, and catalogues of actions: both with what was expected."""
    dataset, run = small
    decisions = dataset.pipeline.source.decisions.model_copy(update={"kind": "implied"})
    source = dataset.pipeline.source.model_copy(update={"decisions": decisions})
    implied = replace(dataset, pipeline=dataset.pipeline.model_copy(update={"source": source}))
    with pytest.raises(UnsupportedEstimator, match="are implied: nobody made them"):
        report_experiment(implied, run, horizon=run.date, code_hash="code")
    many, night = shop(tmp_path, n_items=24)
    with pytest.raises(UnsupportedEstimator, match=r"the log has 24 actions .* at most 20, each by itself"):
        report_experiment(many, night, horizon=night.date, code_hash="code")
