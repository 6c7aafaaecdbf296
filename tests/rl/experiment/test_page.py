"""The experiment's page: one file, everything escaped, every figure in it, what can't be told said in words."""

from __future__ import annotations

import html
import re

import pytest

from rl.experiment.figures import ExperimentFigures
from rl.experiment.page import gain_forest, render_experiment_page
from rl.experiment.wording import policy_name, resolution_sentence, told_sentences
from rl.page.effect_charts import decile_chart, spend_lines_chart
from tests.rl.experiment.experiments import report


@pytest.fixture(scope="module")
def figures() -> ExperimentFigures:
    return report()


def test_page_is_one_file_with_all_of_it(figures: ExperimentFigures) -> None:
    """Nothing is fetched; texts of specs are escaped; each policy and spend has its row."""
    page = render_experiment_page(figures)
    assert "Whom to &lt;mail&gt;" in page
    assert "Mail &amp; more" in page
    assert not re.search(r"<(script|link|img)|https?://", page)
    shown = html.unescape(page)
    for policy in figures.outcomes[0].policies:
        assert shown.count(policy_name(policy)) >= 2
    for sentence in (*told_sentences(figures), resolution_sentence(figures)):
        assert sentence in shown
    assert page.count("Tenth ") == 10


def test_refusals_stand_in_place_of_figures(figures: ExperimentFigures) -> None:
    """A scenario without declared costs, or without a night, has a page all the same."""
    bare = figures.model_copy(
        update={
            "spend": None,
            "spend_refusal": "No costs, no curve.",
            "deciles": None,
            "deciles_refusal": "No tenths.",
            "recipe": None,
            "recipe_refusal": "No night.",
        }
    )
    page = render_experiment_page(bare)
    for refusal in ("No costs, no curve.", "No tenths.", "No night."):
        assert refusal in page


def test_figures_survive_json(figures: ExperimentFigures) -> None:
    """What is written is what is read."""
    assert ExperimentFigures.model_validate_json(figures.model_dump_json()) == figures


def test_sentences_tell_better_from_worse_from_neither() -> None:
    """Told where intervals leave zero, named with the width where they don't."""
    told = " ".join(told_sentences(report()))
    assert "Told: the DR-learner (greedy" in told
    assert "earn more than first to everybody" in told
    assert "Told: none to everybody" in told
    untold = " ".join(told_sentences(report(600, noise=40.0)))
    assert "Not told: whether" in untold or "Not judged" in untold
    assert "more than first" not in untold


def test_places_lie_within_their_boxes(figures: ExperimentFigures) -> None:
    """Every dot, whisker and curve is between 0 and 100, the zero line too."""
    forest = gain_forest(figures.outcomes[0])
    assert figures.spend is not None
    assert figures.deciles is not None
    tenths = decile_chart(figures.deciles)
    places = [forest.zero, tenths.zero]
    places += [place for row in forest.rows for place in (row.start, row.point, row.start + row.width)]
    places += [place for row in tenths.rows for place in (row.start, row.point, row.predicted)]
    chart = spend_lines_chart(figures.spend)
    places += [float(one) for line in chart.lines for one in re.split("[ ,]", line.points)]
    assert all(-0.01 <= place <= 100.01 for place in places)
