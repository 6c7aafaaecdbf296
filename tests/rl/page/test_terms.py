"""Statistical terms of the page are explained where they first stand, in few plain words."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from rl.ope.estimators.registry import MARGINALIZED_ESTIMATORS, ONE_STEP_ESTIMATORS, nightly_estimators
from rl.page.render import render_page
from rl.page.terms import MOST_WORDS, TERMS, Explainer, title
from rl.page.wording import ESTIMATOR_NAMES
from tests.rl.page.test_render import PAGES

SPELLINGS = {
    "policy value": "policy values?",
    "behavior policy": "behavior policy",
    "interval": "intervals?",
    "standard error": "standard error",
    "standard deviation": "standard deviation",
    "importance weight": "importance weights?",
    "importance ratio": "importance ratios?",
    "effective sample size": "effective sample size",
    "effective rewarded": "effective rewarded",
    "propensity": "propensit(?:y|ies)",
    "calibration": "calibration",
    "price of money": "price of money",
    "corrected gain": "corrected gain",
    "tail index": "tail index",
    "bonferroni": "bonferroni",
    "total variation distance": "total variation distance",
    "odds": r"logarithms of their odds",
    "integrated gradients": "integrated gradients",
    "hit rate": "hit rate",
    "ndcg": "ndcg",
    "temperature": "temperature",
    "pair": r"\(pair\)|pairs?\b",
}


class _Sections(HTMLParser):
    """Collects, section by section, the text outside of glossaries and the terms explained there."""

    def __init__(self) -> None:
        super().__init__()
        self.text: dict[str, str] = {"headline": ""}
        self.explained: dict[str, set[str]] = {"headline": set()}
        self._at, self._tags, self._term_depth, self._skipped = "headline", list[str](), 0, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section" and given.get("id") != "verdict":
            self._at = str(given["id"])
            self.text[self._at], self.explained[self._at] = "", set()
        self._term_depth += tag == "details" and (given.get("class") == "terms" or self._term_depth > 0)
        self._skipped += tag in ("style", "title")
        self._tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._term_depth -= tag == "details" and self._term_depth > 0
        self._skipped -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if not self._term_depth:
            self.text[self._at] += " " + data
        elif self._tags[-1] == "dt":
            self.explained[self._at].add(data)


def sections_of(name: str) -> _Sections:
    parser = _Sections()
    parser.feed(render_page(PAGES[name]))
    return parser


@pytest.mark.parametrize("term", TERMS)
def test_every_meaning_is_short_and_plain(term: str) -> None:
    """At most 40 words, whole sentences, no code."""
    meaning = TERMS[term]
    assert len(meaning.split()) <= MOST_WORDS
    assert meaning[0].isupper()
    assert meaning.endswith(".")
    assert not re.search(r"[_`<>=]", meaning)


@pytest.mark.parametrize(
    "name", sorted({*ESTIMATOR_NAMES, *nightly_estimators(), *ONE_STEP_ESTIMATORS, *MARGINALIZED_ESTIMATORS})
)
def test_every_estimator_has_a_meaning(name: str) -> None:
    """Whatever the page may name among values can be looked up there."""
    assert name in TERMS


@pytest.mark.parametrize("name", PAGES)
def test_terms_are_explained_in_the_section_where_they_first_stand(name: str) -> None:
    """From the first section on that uses a term, the reader finds its meaning without scrolling on."""
    page = sections_of(name)
    for term, spelling in SPELLINGS.items():
        used = [at for at, text in page.text.items() if at != "headline" and re.search(rf"\b{spelling}", text.lower())]
        if used:
            until = list(page.text)[: list(page.text).index(used[0]) + 1]
            assert any(title(term) in page.explained[at] for at in until), (term, used[0])


@pytest.mark.parametrize("name", PAGES)
def test_every_estimator_shown_is_explained_once(name: str) -> None:
    """Estimators among values stand in a glossary, and no term stands in two."""
    page = sections_of(name)
    shown = {one.estimator for policy in PAGES[name].policies for one in policy.estimates}
    assert {title(one) for one in shown} <= page.explained["value"]
    told = [term for terms in page.explained.values() for term in terms]
    assert len(told) == len(set(told))


@pytest.mark.parametrize("name", PAGES)
def test_headline_needs_no_glossary(name: str) -> None:
    """Above the sections nothing is folded away."""
    assert not sections_of(name).explained["headline"]


def test_explainer_refuses_a_term_without_meaning() -> None:
    """A template can't name a term that nobody explained."""
    with pytest.raises(KeyError, match="moment of truth"):
        Explainer()("moment of truth")


def test_explainer_explains_each_term_once() -> None:
    """The second time there is nothing left to fold."""
    explain = Explainer()
    assert "Interval, level: what is this?" in explain("interval", "level")
    assert explain("interval") == ""
    assert "Direct method (FQE), NDCG, doubly robust" in explain("dm", "ndcg", "dr", "level")


def test_explainer_names_some_of_many_terms() -> None:
    """A long list of names is cut, so that it fits a phone."""
    assert "Doubly robust, DM" not in (found := Explainer()("dr", "wdr", "pdis", "wpdis", "tis", "wis", "dm"))
    assert "importance sampling and 3 more: what is this?" in found


def test_every_term_is_used_by_a_page() -> None:
    """No meaning is kept for a term that the templates never ask for."""
    explained = {term for name in PAGES for terms in sections_of(name).explained.values() for term in terms}
    assert {title(term) for term in TERMS if term not in ESTIMATOR_NAMES} <= explained
