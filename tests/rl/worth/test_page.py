"""The worth-it page: one offline file that says the sentence first, whatever is known."""

from __future__ import annotations

import re

import pytest

from rl.worth.findings import WorthFindings
from rl.worth.page import comparison_forest, movement_chart, render_worth_page
from tests.rl.worth.findings_factory import make_comparison, make_findings, make_movement, make_untold

EVERY = [make_findings(), make_findings(answer="does_not_pay"), make_untold(), make_untold(comparison=None)]


@pytest.mark.parametrize("findings", EVERY)
def test_page_is_one_offline_file(findings: WorthFindings) -> None:
    """Nothing is loaded from anywhere, and the page adapts to dark screens and phones."""
    page = render_worth_page(findings)
    assert not re.search(r"https?://|src=|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


@pytest.mark.parametrize("findings", EVERY)
def test_page_says_the_sentence_before_any_section(findings: WorthFindings) -> None:
    """The plain sentence stands at the top."""
    page = render_worth_page(findings)
    assert findings.sentence in page
    assert page.index(findings.sentence) < page.index("<h2>")


@pytest.mark.parametrize("findings", EVERY)
def test_page_closes_what_it_opens(findings: WorthFindings) -> None:
    """Sections, tables and figures are balanced."""
    page = render_worth_page(findings)
    for tag in ("section", "table", "figure", "details", "div", "svg", "ul", "p"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_page_says_what_the_discount_runs_on() -> None:
    """A factor a day isn't taken for one a step."""
    findings = make_findings()
    by_day = findings.model_copy(update={"log": findings.log.model_copy(update={"discounted_per": "day"})})
    assert "(0.95 a step)" in render_worth_page(findings)
    assert "(0.95 a day)" in render_worth_page(by_day)


def test_page_calls_a_prediction_a_prediction() -> None:
    """Where nothing is weighted, the values are said to be a model's."""
    assert "predictions of a model, not estimates" in render_worth_page(make_untold())


def test_page_says_that_no_number_of_nights_helps() -> None:
    """The refusal stands where the nights would."""
    assert "No number of further nights" in render_worth_page(make_untold())


def test_page_escapes_what_it_is_given() -> None:
    """A sentence with markup in it is text."""
    page = render_worth_page(make_findings(sentence="<script>alert(1)</script>"))
    assert "<script>" not in page


def test_forest_shows_all_three_policies() -> None:
    """One line each, the log's first."""
    forest = comparison_forest(make_comparison())
    assert forest is not None
    assert [group.name for group in forest.groups] == ["Today's policy", "One-step rule", "Look-ahead rule"]


def test_movement_chart_marks_floor_and_farthest_share() -> None:
    """On an axis from 0 to 670, a floor of 200 lies 70.15% from the top; a share of .6 at 60% of the way."""
    chart = movement_chart(make_movement())
    assert (chart.floor, chart.farthest) == (70.15, 60.0)
