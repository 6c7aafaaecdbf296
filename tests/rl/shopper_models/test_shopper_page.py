"""The page says what was found: the curve first, every figure with its interval, reasons where it didn't pass."""

from __future__ import annotations

import re
from datetime import date

import pytest

from conf.specs.shopper_model import ShopperModel
from rl.page.wording import MINUS
from rl.shopper_models.figures import (
    BoundedFigure,
    ExampleCounts,
    GateAnswer,
    LearnerFigures,
    PairedDifference,
    ReliabilityPoint,
    ShopperModelFigures,
)
from rl.shopper_models.page import reliability_chart, render_shopper_page


def bounded(value, half=0.01):
    return BoundedFigure(value=value, lower=value - half, upper=value + half)


def learner(name, points, **changes):
    base = {
        "name": name,
        "mean_predicted": 0.3,
        "loss": bounded(0.2),
        "skill": bounded(0.123),
        "log_loss": bounded(0.5),
        "auc": bounded(0.754),
        "slope": bounded(0.987),
        "intercept": bounded(-0.02),
        "reliability": tuple(ReliabilityPoint(n=n, predicted=p, observed=o) for n, p, o in points),
    }
    return LearnerFigures(**(base | changes))


def figures(*, target="purchase", **gate):
    days = tuple(date(2026, 1, one) for one in (1, 8, 15))
    model = ShopperModel(
        name="model", title="Will <buy>", target=target, horizon_days=7, active_days=30, features=("tenure_days",)
    )
    return ShopperModelFigures(
        model=model.model_copy(update={"windows": (7,)}),
        source="shop",
        horizon=date(2026, 2, 1),
        known_until=date(2026, 1, 15),
        counts=ExampleCounts(
            n_fit=10,
            n_calibration=11,
            n_test=1234,
            n_fit_shoppers=9,
            n_test_shoppers=321,
            n_censored=17,
            fit_days=days[:1],
            calibration_days=days[1:2],
            test_days=days[2:],
            test_mean=0.3,
        ),
        learner="trees",
        learners=(
            learner("trees", [(100, 0.1, 0.1), (25, 0.4, 0.5)]),
            learner("logistic", [(125, 0.2, 0.25)]),
            learner("constant", [(125, 0.3, 0.3)], slope=None, intercept=None),
        ),
        differences=(PairedDifference(other="logistic", gain=bounded(0.004), log_gain=bounded(0.1), auc=None),),
        refused={"bg_nbd": "nobody bought twice"},
        gate=GateAnswer(**({"verdict": "promote", "reasons": ()} | gate)),
        digest="abc",
    )


def test_the_curve_stands_first_and_on_one_scale():
    """Both axes end where the largest figure does, so that the diagonal is where predictions come true."""
    chart = reliability_chart(figures())
    own = chart.lines[-1]
    assert (own.name, own.tone, own.dash) == ("Gradient-boosted trees", "candidate", 0)
    assert [round(spot.x / spot.y, 6) for spot in own.spots] == [1.0, pytest.approx(0.8, abs=1e-3)]
    assert own.spots[0].size > own.spots[1].size
    assert own.spots[1].title == "25 rows: predicted 40.0%, came to 50.0%"
    assert [line.name for line in chart.lines] == ["Logistic regression", "Gradient-boosted trees"]
    page = render_shopper_page(figures())
    assert page.index("<svg") < page.index('id="verdict"') < page.index("<table")


def test_every_figure_stands_with_its_interval():
    page = render_shopper_page(figures())
    for told in ("0.987 (0.977 to 0.997)", "12.3% (11.3% to 13.3%)", "0.754 (0.744 to 0.764)", "1,234 rows", "321"):
        assert told in page
    assert f"0.00400 ({MINUS}0.00600 to 0.0140)" in page
    assert "BG/NBD, since nobody bought twice" in page
    assert "17 shoppers are active" in page


def test_what_a_correction_owes_to_chance_is_said_where_it_is_known():
    """Two standard errors of .12, by 49 shoppers; figures of earlier releases don't know it and say nothing."""
    found = figures()
    own, *others = found.learners
    known = found.model_copy(
        update={
            "counts": found.counts.model_copy(update={"n_calibration_rarer": 49, "n_test_rarer": 57}),
            "learners": (own.model_copy(update={"correction_error": 0.12}), *others),
        }
    )
    page = render_shopper_page(known)
    assert "corrected by 49 shoppers of the calibration days who had the rarer outcome" in page
    assert "leaves the slope up to 0.235 beside 1" in page
    assert '<td class="n">57</td>' in page
    assert 'id="correction"' not in render_shopper_page(found)


def test_a_refusal_says_why_and_text_is_escaped():
    page = render_shopper_page(figures(verdict="reject", reasons=("its slope is 3 & more",)))
    assert "Not passed" in page
    assert "its slope is 3 &amp; more" in page
    assert "Will &lt;buy&gt;" in page
    assert "Passed<" not in page


def test_the_page_needs_no_network_and_knows_light_and_dark():
    page = render_shopper_page(figures())
    assert not re.search(r"https?://|<script|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page


def test_amounts_are_named_as_such():
    page = render_shopper_page(figures(target="spend"))
    assert "Log-linear regression" in page
    assert "Squared error" in page
    assert "Brier" not in page
