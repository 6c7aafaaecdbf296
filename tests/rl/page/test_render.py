"""The whole page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from rl.page.content import ActionShare, ReviewContent
from rl.page.render import render_page
from tests.rl.page.content_factory import (
    estimated_review,
    implied_review,
    judgment,
    night,
    review,
    simulated_review,
)

PAGES = {
    "logged": review(),
    "implied": implied_review(),
    "simulated": simulated_review(),
    "estimated": estimated_review(),
    "rejected": review(judgment=judgment("reject", reasons=("It is not shown to earn more.",))),
    "abstained": review(judgment=judgment("abstain", reasons=("Too few to tell.",), gain=None)),
    "bare": review(policies=(), guardrails=(), actions=(), curves=(), candidates=(), lineage=(), version=None),
}
VOID = {"meta", "br", "rect", "line", "polyline", "link", "img", "hr", "input"}


class _Tags(HTMLParser):
    """Collects sections, text, and tags that were never closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sections: list[str] = []
        self.text: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "section":
            self.sections.append(str(dict(attrs)["id"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def parse(page: ReviewContent) -> _Tags:
    parser = _Tags()
    parser.feed(render_page(page))
    return parser


def text_of(page: ReviewContent) -> str:
    return re.sub(r"\s+", " ", " ".join(parse(page).text))


@pytest.mark.parametrize("name", PAGES)
def test_page_is_well_formed_and_has_every_section(name: str) -> None:
    """Every kind of page closes its tags and answers the same questions in the same order."""
    tags = parse(PAGES[name])
    assert not tags.open
    expected = ["verdict", "value", "certainty", "difference", "data", "training", "lineage"]
    assert [section for section in tags.sections if section != "ranking"] == expected


@pytest.mark.parametrize("name", PAGES)
def test_page_needs_no_network_and_runs_no_script(name: str) -> None:
    """Nothing in it points elsewhere, nothing in it runs, and it stays small."""
    html = render_page(PAGES[name])
    assert not re.search(r"https?://|//[a-z]|url\(|@import|src=|<script", html)
    assert len(html.encode("utf-8")) < 1_500_000


def test_page_follows_the_color_scheme_and_narrow_screens() -> None:
    """It has colors for dark mode and a layout for phones."""
    html = render_page(review())
    assert "prefers-color-scheme: dark" in html
    assert "max-width: 44rem" in html
    assert "width=device-width" in html


@pytest.mark.parametrize(("outcome", "word"), [("promote", "Promote"), ("reject", "Reject"), ("abstain", "Abstain")])
def test_page_says_the_verdict_first_and_in_words(outcome: str, word: str) -> None:
    """Verdict and reasons come before any figure."""
    text = text_of(review(judgment=judgment(outcome, reasons=("Because of this.",))))
    assert text.index(word) < text.index("Because of this.") < text.index("What it would earn")


def test_page_says_first_that_decisions_are_implied() -> None:
    """Where the log holds no decisions, that is said before the verdict, and values are called predictions."""
    text = text_of(implied_review())
    assert text.index("This log has no logged decisions") < text.index("Abstain")
    assert "Direct method (FQE) · prediction" in text
    assert "PDIS, WPDIS, DR, WDR" in text
    assert text.count("no propensity is known") == 1


def test_page_shows_ranking_beside_baselines_where_there_is_one() -> None:
    """Hit rate and NDCG stand beside item-kNN and popularity; pages without ranking have no such section."""
    assert "item-kNN (baseline)" in text_of(implied_review())
    assert "ranking" not in parse(review()).sections


def test_page_shows_true_values_beside_estimates() -> None:
    """In a simulated shop each estimate stands beside the true value, and says whether it holds it."""
    text = text_of(simulated_review())
    assert "DR 1.52 1.38 to 1.66 1.49 0.0120 ✓ inside" in text
    assert "DM 1.44 1.41 to 1.47 1.49 0.0120 ✕ too low" in text
    assert "True value" not in text_of(review())


def test_page_accounts_for_every_line_and_reward() -> None:
    """Lines and rewards are listed by where they went, and add up on the page."""
    text = text_of(review())
    assert "83,900 accepted + 536 rejected + 40 not yet = 84,476 of 84,476 lines" in text
    assert "names a decision that isn't in the log 99.5 points" in text
    assert "In accepted events 20,500 points" in text


def test_page_shows_calibration_where_propensities_are_estimated() -> None:
    """Estimated propensities come with their calibration, drawn."""
    tags = parse(estimated_review())
    assert "Calibration error 1.2%" in re.sub(r"\s+", " ", " ".join(tags.text))
    assert render_page(estimated_review()).count('class="spot"') == 9


def test_page_names_the_command_that_approves() -> None:
    """A person who may promote is told how; with automatic approval, or without a pass, not."""
    assert "--date 2026-01-31 --version 4" in text_of(review())
    assert "--version 4" not in text_of(review(night=night(approval="auto")))
    assert "--version 4" not in text_of(review(judgment=judgment("reject")))


def test_page_escapes_everything_it_was_given() -> None:
    """Names from a log can't become markup."""
    evil = '<img src=x onerror="alert(1)">'
    page = review(
        night=night(source_title=evil, scenario_title=evil),
        judgment=judgment(reasons=(evil,), candidate=evil, notes=(evil,)),
        actions=(ActionShare(action=evil, log=0.5, candidate=0.5),),
    )
    assert "img" not in parse(page).tags
    assert evil in " ".join(parse(page).text)
