"""The whole page."""

from __future__ import annotations

import re
from datetime import date
from html.parser import HTMLParser
from typing import Any

import pytest

from rl.figures.candidates import ActionShare
from rl.figures.data import PersonsWord
from rl.figures.evidence import DepartureSummary, ExplanationSummary, Loggers, Segments
from rl.figures.returns import Returns
from rl.figures.values import PlayedSpend, PlayedValue
from rl.page.content import MoneyTerms, ReviewContent
from rl.page.render import render_page
from rl.page.rule_sentences import rule_sentences
from rl.page.wording import MINUS
from rl.policy.action_rules import ActionRules, Cap, Eligibility, Pin
from tests.rl.page.content_factory import (
    data,
    estimate,
    estimated_review,
    implied_review,
    judgment,
    logged_policies,
    night,
    review,
    simulated_review,
)
from tests.rl.page.evidence_factory import doubts, explanation, history, segment, segments, spread, support, tree
from tests.rl.page.full_review import full_review
from tests.rl.page.spend_factory import one_decision, spend

PAGES = {
    "full": full_review(),
    "refused": full_review(
        segments=Segments(refusal="the decisions are implied"),
        history=(),
        explanation=ExplanationSummary(refusal="hardly any decision leaves a choice"),
        support=support(weights=None, weights_refusal="the log holds no propensities"),
        returns=Returns(refusal="the decisions are implied"),
    ),
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
    expected = [
        "verdict",
        "value",
        "certainty",
        "segments",
        "difference",
        "departures",
        "reasons",
        "support",
        "history",
        "data",
        "training",
        "lineage",
    ]
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


def test_page_shows_the_corrected_gain_as_part_of_a_sum() -> None:
    """A night that passed by a hair may count for less than nothing; the page doesn't offer that as its expectation."""
    hair = judgment()
    assert hair.gain is not None
    text = text_of(review(judgment=hair.model_copy(update={"gain": hair.gain.model_copy(update={"corrected": -0.21})})))
    assert f"count {MINUS}0.210 for this one (its corrected gain) instead of +0.210" in text
    assert "To judge this night by itself, go by its bounds: +0.0500 to +0.370." in text
    assert text.index("How sure this is") < text.index("Adding up promotions.")


def test_a_gain_that_luck_adds_nothing_to_is_not_told_twice() -> None:
    """`+0.742 instead of +0.742` would be a riddle."""
    clear = judgment()
    assert clear.gain is not None
    gain = clear.gain.model_copy(update={"value": 0.74205, "corrected": 0.74199})
    text = text_of(review(judgment=clear.model_copy(update={"gain": gain})))
    assert "count +0.742 for this one: so far above the gate's bound, luck adds nothing that shows. To judge" in text
    assert "instead of" not in text[text.index("Adding up promotions.") :][:400]


def test_the_true_gain_stands_beside_the_estimate_where_it_is_known() -> None:
    """1.49 less 1.29, with both standard errors."""
    said = "the true gain in this simulated shop is +0.200 (± 0.0156)"
    assert said in text_of(simulated_review())
    assert "true gain" not in text_of(review())


def test_the_shops_rules_that_held_are_listed() -> None:
    rules = ActionRules(
        blocked=frozenset(f"item-{number:02d}" for number in range(12)),
        pins=(Pin("item-20", frozenset({0, 2})),),
        eligibility=(Eligibility(frozenset({"item-21"}), "n_past_purchases", at_least=1, at_most=9),),
        caps=(Cap(frozenset({"item-22", "item-23"}), 3),),
    )
    text = text_of(review(rules=rule_sentences(rules)))
    for said in (
        "Never chosen: item-00, item-01, item-02,",
        "item-08, item-09 and 2 more.",
        "Only for shoppers whose n_past_purchases is at least 1 and at most 9: item-21.",
        "In service, alone at position 0, 2 of a slate (from 0) wherever it is available: item-20.",
        "In service, at most 3 together a shopper and business day: item-22, item-23.",
    ):
        assert said in text
    assert "rules that held" not in text_of(review())


def test_page_without_a_promotion_has_no_corrected_gain() -> None:
    """There is nothing to correct where nothing was picked."""
    assert "corrected gain" not in text_of(PAGES["abstained"])


@pytest.mark.parametrize("per", ["step", "day"])
def test_page_says_what_the_discount_runs_on(per: str) -> None:
    """A factor a day isn't taken for one a step."""
    assert f"(0.95 a {per})" in text_of(full_review(night=night(discounted_per=per)))


def test_page_says_where_values_end() -> None:
    """Where time ends every episode, what lies beyond counts only if the spec says so, and the page says which."""
    own = "or fewer where time ends it sooner (nothing counts that comes later:"
    assert own in text_of(full_review(night=night(after_cut="nothing")))
    assert own not in text_of(full_review(night=night()))


def test_page_says_what_a_decision_earns() -> None:
    """In the scenario's words; a night of an earlier release didn't say."""
    earns = "A decision earns 1 for each click (in points), of events that name it within a day."
    assert earns in text_of(full_review(night=night(earns=earns)))
    assert 'id="earns"' not in render_page(full_review(night=night()))


def test_page_names_the_unit_of_the_night() -> None:
    """Where products are resampled, no figure is said to be of shoppers."""
    text = text_of(full_review(night=night(units="products"), segments=None, spend=None))
    assert "812 of 1,800 products" in text
    assert "Half of all importance weight lies on the heaviest 250 of 1,800 products" in text
    about_people = ("not what moves shoppers",)
    for phrase in about_people:
        text = text.replace(phrase, "")
    assert "shopper" not in text.lower()


@pytest.mark.parametrize("name", PAGES)
def test_every_table_scrolls_by_itself_on_a_narrow_screen(name: str) -> None:
    """No table is wider than the page: each stands in a box of its own."""
    html = render_page(PAGES[name])
    assert html.count("<table") == html.count('<div class="scroll"><table')


def test_page_says_which_way_a_guardrail_looks() -> None:
    """A rise and a fall that are limited read differently, with the bound in words."""
    text = text_of(review())
    assert "refunds 0.0100 0.0110 10.0% rise of 50.0% ✓ kept: may rise by at most 32%" in text
    assert f"clicks 1.20 1.19 {MINUS}1.0% fall of 5.0% ✕ not kept: may fall by at most 7%" in text


def test_counters_of_single_days_are_no_rows_of_the_page() -> None:
    """A year has 365 of them; the whole reward stands in its table."""
    counters = {"checked_rows": 7, "reward.attributed_on.2026-01-05": 5, "reward.attributed_on.2026-01-06": 6}
    page = render_page(full_review(data=data(counters=counters)))
    assert "checked_rows" in page
    assert "attributed_on" not in page


def test_page_draws_how_returns_are_spread() -> None:
    """Both curves with their bounds, the figures, how much is cut, and in a sentence who pays for the mean."""
    html, text = render_page(full_review()), text_of(full_review())
    assert html.count("<polygon") == 3  # and the band of the budgets' curve
    assert "The worst 10% of episodes would earn less than under the behavior policy" in text
    assert "Half earn at most 1.20 (1.10 to 1.30) 1.20" in text.replace("( ", "(")
    assert "Cut by the log 2.0% 2.0%" in text
    assert "with more than 10% of them nothing is shown" in text


def test_page_says_why_there_is_no_distribution_of_returns() -> None:
    """A refusal stands in its place, and pages of older evaluations say that it wasn't recorded."""
    assert "No distribution of returns: the decisions are implied." in text_of(PAGES["refused"])
    assert "How returns are spread Not recorded." in text_of(review())


def test_page_says_how_much_the_log_can_have_done() -> None:
    """By the balance of importance ratios, and apart from it by actions that stand nowhere."""
    text = text_of(review())
    assert "the log can have done 97.4% (standard error 1.1%): so much its importance ratios average" in text
    assert "0.20% of its decisions would be actions that stand nowhere in the log" in text
    behavior, candidate, *others = logged_policies()
    assert candidate.overlap is not None
    above = candidate.model_copy(update={"overlap": candidate.overlap.model_copy(update={"mean_ratio": 1.01})})
    text = text_of(review(policies=(behavior, above, *others)))
    assert "The log can have done all that discrete_cql-1 would do in the logged situations: its importance" in text
    assert "average 101% (standard error 1.1%), and 100% is expected, give or take chance." in text


def test_page_accounts_for_every_line_and_reward() -> None:
    """Lines and rewards are listed by where they went, and add up on the page."""
    text = text_of(review())
    assert "83,900 accepted + 536 rejected + 40 not yet = 84,476 of 84,476 lines" in text
    assert "names a decision that isn't in the log 99.5 points" in text
    assert "In accepted events 20,500 points" in text


def test_page_says_what_is_odd_about_the_nights_files() -> None:
    """Files that may be cut off, and what differs from earlier deliveries: ten sentences, and how many more."""
    usual = data().ingest
    assert usual is not None
    odd = usual.model_copy(update={"n_unended_files": 2, "drift": tuple(f"column c{n} is gone" for n in range(12))})
    shown = text_of(review(data=data(ingest=odd)))
    assert "2 of the files that this night learns from end within a line" in shown
    assert "column c9 is gone" in shown
    assert "column c10 is gone" not in shown
    assert "and 2 more, in ingest.json" in shown
    for words in ("end within a line", "differ from earlier ones"):
        assert words not in text_of(review())


def test_page_says_what_persons_decided_about_deliveries() -> None:
    """Which delivery was accepted or left out, why, by whom and when; names of files that may be cut off."""
    usual = data().ingest
    assert usual is not None
    word = PersonsWord(delivery=date(2026, 1, 30), reason="closed & empty", who="ann", at="2026-01-31T03:00:00+00:00")
    told: dict[str, Any] = {
        "accepted": (word,),
        "left_out": (word.model_copy(update={"reason": "lost", "who": "", "at": ""}),),
    }
    told |= {"n_unended_files": 1, "unended_files": ("a.csv",), "unknown_event_types": {"Rückgabe": 1041}}
    shown = text_of(review(data=data(ingest=usual.model_copy(update=told))))
    assert "because a person said so" in shown
    assert "closed & empty (ann, 2026-01-31)" in shown
    assert "left out, so that their days look as if nobody had come" in shown
    assert "It is a.csv." in shown
    assert "Rückgabe (1,041)" in shown
    for words in ("a person said so", "were left out", "does not know are rejected"):
        assert words not in text_of(review())


def test_page_says_which_decisions_were_set_aside() -> None:
    """How many, in how many episodes, and why; nothing where none were."""
    aside = {"episodes": 3, "decisions": 17, "outside_set": 2, "no_action": 1}
    shown = text_of(review(data=data(quarantined=aside)))
    assert "17 decisions in 3 episodes are set aside" in shown
    assert "1 name no action; 2 chose what their availability set doesn't offer." in shown
    assert "are set aside, since" not in text_of(review())


def test_page_says_before_the_verdict_what_set_most_decisions_aside() -> None:
    """Else a table of opt-outs that was taken for one of consents looks like a small shop."""
    cause = "800 of 1,000 decisions are of <shoppers> without consent"
    shown = text_of(review(data=data(main_cause=cause)))
    assert shown.index(f"Most decisions are missing: {cause}.") < shown.index("Verdict on")
    assert "Most decisions are missing" not in text_of(review())


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


def test_page_tells_on_whose_behalf_and_where_the_log_is_too_thin() -> None:
    """Segments show gains with their simultaneous level; a thin one says so and shows no number."""
    text = text_of(full_review())
    assert "With 95% probability all 2 intervals shown hold at once ( 97.5% each" in text.replace("(97.5%", "( 97.5%")
    assert "no past purchase 50.0% of episodes +0.300 (0.200 to 0.400)" in text
    assert "new shopper 2.0% of episodes too few to tell: effectively 18 rewarded shoppers of 25 needed" in text


def test_page_says_why_in_features_examples_and_a_tree_with_its_fidelity() -> None:
    """Reasons come with what they are against, how they were tried, and how far the tree agrees beside the majority."""
    text = text_of(full_review())
    assert "past purchases 53.3% 0.800" in text
    assert "item-001 rather than item-002: odds of 2.01 to 1" in text
    assert "Yes: setting the 3 features named most to their mean" in text
    assert "The tree agrees with the policy on 62.0% of 990 decisions" in text
    assert "always saying the same would on 41.0%" in text


def test_page_warns_of_reasons_that_were_not_shown_to_hold() -> None:
    """Where removal isn't beyond chance, the page says not to rest anything on the reasons."""
    removal = explanation().removal
    assert removal is not None
    page = full_review(explanation=explanation(removal=removal.model_copy(update={"is_faithful": False})))
    assert "Not shown." in text_of(page)
    assert "don't rest anything on these reasons" in text_of(page)


def test_page_gives_one_sentence_where_a_part_refuses() -> None:
    """A refused tree, refused departures and refused segments each say why in their place."""
    page = full_review(
        segments=Segments(refusal="the decisions are implied"),
        explanation=explanation(
            imitation=tree(nodes=(), refusal="it would explain nothing"),
            departures=DepartureSummary(refusal="there is no logging policy to depart from"),
        ),
    )
    text = text_of(page)
    assert "No values by segment: the decisions are implied." in text
    assert "No small tree: it would explain nothing." in text
    assert "Not told: there is no logging policy to depart from." in text


def test_page_shows_what_the_log_never_did_and_on_whom_the_weight_lies() -> None:
    """Unseen actions are named, and the curve says how few shoppers hold half of the weight."""
    text = text_of(full_review())
    assert "Never in the log, training or test: item-998 (0.70%), item-999 (0.30%) and 1 more." in text
    assert "Half of all importance weight lies on the heaviest 250 of 1,800 shoppers ( 13.9%)" in text.replace(
        "(13.9%", "( 13.9%"
    )


def test_page_tells_what_happened_with_earlier_versions() -> None:
    """Versions stand with date, verdict, predicted gain and alias; an empty history and an unread one say so."""
    text = text_of(full_review())
    assert "Version 2 , 2026-01-22 · promote · discrete_cql-1 · against the behavior policy champion" in text
    assert "predicted gain +0.600 (0.300 to 0.900)" in text
    assert "no gain was estimated" in text
    serving = history()[0].model_copy(update={"serves": "75.0% of the shoppers since 2026-03-05 02:10 UTC"})
    assert "decides for 75.0% of the shoppers since 2026-03-05 02:10 UTC" in text_of(full_review(history=(serving,)))
    assert "This version decides for all since 2026-03-05" in text_of(full_review(serves="all since 2026-03-05"))
    assert "this is the first version" in text_of(full_review(history=()))
    uncompared = history()[0].model_copy(update={"against": "behavior", "champion_in_force": "3"})
    assert "against the behavior policy (version 3 was champion and could not be compared)" in text_of(
        full_review(history=(uncompared,))
    )
    assert "the registry is read when the version is registered" in text_of(full_review(history=None))


def test_page_says_what_the_intervals_leave_out() -> None:
    """Hidden reasons and a heavy tail stand under how sure it is."""
    text = text_of(full_review())
    assert "A hidden reason of 1.4 times the odds" in text
    assert "averages still settle (tail index 0.400)" in text
    assert "Rare losses. The test episodes hold fewer" in text


def test_large_weights_have_one_voice_at_the_top_and_below() -> None:
    """What the sections say of weights and tails is what the tiles say, and how it bears on the verdict."""
    heavy = " ".join(text_of(full_review(doubts=doubts(tail_index=0.6))).split())
    assert "a few shoppers decide this gain" in heavy
    assert "said with that caution; the verdict goes by its bounds" in heavy
    light = " ".join(text_of(full_review()).split())
    assert "with that caution" not in light
    assert "The top of the page and the gate count that in: so weighted, the log is worth 812 shoppers." in light


def test_page_shows_what_limited_weights_leave() -> None:
    """The gain without a limit comes first, then falling limits with how often they bite; none where there are none."""
    text = text_of(full_review())
    places = [text.index(label) for label in ("no limit", "at most 4.00", "at most 1.50", "limits 10.0% of")]
    assert places == sorted(places)
    assert "Large weights" not in text_of(full_review(doubts=doubts(clipping=())))


def test_page_shows_limits_that_were_chosen_from_the_data() -> None:
    """An estimator that limits weights says at which one."""
    chosen = estimate("switch_dr", 3.0, chosen_level=12.5)
    page = review(policies=(*review().policies[:-1], review().policies[-1].model_copy(update={"estimates": (chosen,)})))
    assert "Doubly robust, switching to the model at large weights limit 12.5" in text_of(page)


def test_page_shows_second_opinions_beside_the_gate_s() -> None:
    """Gains by the gate's estimator and by others, with the reason where one refuses; nothing where none was asked."""
    text = text_of(full_review())
    assert "Doubly robust · gate +0.300 (0.200 to 0.400)" in text
    assert "Doubly robust by state +0.200 (0.100 to 0.300)" in text
    assert "Doubly robust by state and action too many pairs" in text
    assert "Second opinions" not in text_of(review())


def test_page_marks_the_values_that_are_second_opinions() -> None:
    """Beside the gate's estimate stands another that decides nothing."""
    other = estimate("drl_s", 1.4, is_second_opinion=True)
    behavior, candidate, _ = review().policies
    page = review(policies=(behavior, candidate.model_copy(update={"estimates": (*candidate.estimates, other)})))
    assert "Doubly robust by state · second opinion 1.40 (1.30 to 1.50)" in text_of(page)


def test_page_says_that_an_estimator_left_all_weights_alone() -> None:
    """Levels were tried and none was chosen: that is said, too."""
    left = estimate("switch_dr", 3.0, n_levels=9)
    page = review(policies=(*review().policies[:-1], review().policies[-1].model_copy(update={"estimates": (left,)})))
    assert "at large weights no limit, of 9 tried" in text_of(page)


def test_page_says_what_was_limited_and_what_was_cut() -> None:
    """The spec's limit with how often it bites, and the share of cut episodes, in words and among all figures."""
    behavior, candidate, champion = review().policies
    assert candidate.overlap is not None
    overlap = candidate.overlap.model_copy(update={"weight_clip": 20.0, "share_clipped": 0.03, "share_cut": 0.012})
    text = text_of(review(policies=(behavior, candidate.model_copy(update={"overlap": overlap}), champion)))
    assert "No decision counts for more than 20.0, which bites at 3.0% of the decisions of discrete_cql-1" in text
    assert "The log cuts 1.2% of the test episodes before their value ends" in text
    assert "Limit on importance weights none 20.0 none" in text
    assert "A limit on weights" not in text_of(review())


def test_page_says_who_made_the_log() -> None:
    """Each version's own value and part; or why not; nothing where one version made it."""
    text = text_of(full_review())
    assert "champion-3 900 3.20 95.0%" in text
    assert "control 100 2.40 5.0%" in text
    assert "by policy version: they share episodes." in text_of(
        full_review(loggers=Loggers(estimator="dr", refusal="they share episodes"))
    )
    assert "Who made the log" not in text_of(review())


def test_page_leads_to_every_section() -> None:
    """Each link at the top names a section that exists."""
    for page in PAGES.values():
        targets = re.findall(r'href="#([a-z]+)"', render_page(page))
        assert set(parse(page).sections) == {*targets, "verdict"}


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


def test_page_says_what_a_budget_brings() -> None:
    """Its curve, a row a budget, the rules beside it; where there is none, why; and nothing without a budget."""
    found = text_of(review(spend=spend()))
    assert "What a budget brings" in found
    assert "letter to anybody" in found
    assert "Dashed: today's budget" in found
    parse(review(spend=spend()))
    refused = text_of(review(spend=spend(points=(), rules=(), refusal="the log holds no propensities")))
    assert "No curve of gain against spend: the log holds no propensities." in refused
    few = spend().rules[0].model_copy(update={"refusal": "too few to tell: effectively 2 shoppers"})
    page = text_of(review(spend=spend(rules=(few,))))
    assert "too few to tell: effectively 2 shoppers" in page
    assert "+220" not in page
    assert "What a budget brings" not in text_of(review())


def test_one_interval_is_told_as_one() -> None:
    """Without the rule that keeps several right at once, which a single one doesn't need."""
    found = " ".join(text_of(full_review(segments=segments(n_shown=1, level=0.95))).split())
    assert "The one interval shown holds with 95% probability." in found
    assert "all 1 intervals" not in found


def test_segments_of_hashed_ids_are_counted_and_not_shown() -> None:
    """Their intervals still hold together with the others, which is said."""
    rows = (*segments().rows, segment("favors id 9f86d081…", spread(0.2), dimension="favorite category"))
    found = " ".join(text_of(full_review(segments=segments(rows=rows, n_shown=3))).split())
    assert "9f86d081" not in found
    assert "1 segment is left out" in found
    assert "also of those left out below" in found
    assert "left out: the log knows" not in text_of(full_review())


def test_page_says_what_exploring_takes_and_the_price_of_money() -> None:
    """Also where the curve is refused; and nothing of it where there is no budget."""
    money = MoneyTerms(weekly_budget=1000, price=0.3, explored=45)
    for figures in (spend(), spend(points=(), rules=(), refusal="the log holds no propensities")):
        found = text_of(review(spend=figures, money=money))
        assert "Exploring takes about 45.0" in found
        assert "Price of money: what is this?" in found
    assert "Exploring takes" not in text_of(review())


def test_page_says_that_prices_are_personal_where_offers_go_to_some() -> None:
    """Plainly, before any figure of the budget; and nothing of it where there is no budget."""
    found = text_of(review(spend=spend()))
    assert found.index("Prices are personal here.") < found.index("What a budget brings")
    assert "two people may pay different prices for the same goods" in " ".join(found.split())
    assert "personal" not in text_of(review())


def test_page_says_what_one_week_s_money_brings_and_whom_it_moves() -> None:
    """Each order with its figures at each spend, tenths with whether their order holds; else why there are none."""
    page = review(spend=spend(), one_decision=one_decision())
    parse(page)
    found = text_of(page)
    for said in ("What this week's money brings", "cql-1's order", "DR-learner's order", "letter to a random share"):
        assert said in found
    assert "letter, as the shop calls this action, goes to shoppers drawn by lot" in " ".join(found.split())
    assert "Tenth 10" in found
    assert "The order holds." in found
    refused = text_of(
        review(one_decision=one_decision(lines=None, refusal="too few", deciles=None, deciles_refusal="fewer yet"))
    )
    assert "No curves of the first test week: too few." in refused
    assert "No tenths of the first test week: fewer yet." in refused


def test_page_says_on_whom_money_is_spent_where_that_is_known() -> None:
    """In the unit and as a share of what was redeemed; nothing of it where the shop isn't simulated."""
    spent = PlayedSpend(committed=4.0, redeemed=2.0, on_sure_things=0.5, on_driven_away=0.1)
    known = tuple(
        one.model_copy(update={"truth": PlayedValue(value=1, standard_error=0.1, n_episodes=9, spent=spent)})
        for one in full_review().policies
    )
    found = text_of(review(policies=known))
    assert "On whom the money is spent" in found
    assert "0.500 (25.0%)" in found
    assert "0.100 (5.0%)" in found
    assert "On whom the money is spent" not in text_of(review())


def test_page_says_that_a_rejected_version_s_draft_is_for_review_alone() -> None:
    for outcome in ("reject", "abstain"):
        assert "is for review alone" in text_of(review(spend=spend(), judgment=judgment(outcome=outcome)))
    assert "is for review alone" not in text_of(review(spend=spend(), judgment=judgment(outcome="promote")))
    assert "is for review alone" not in text_of(review(judgment=judgment(outcome="reject")))


def test_no_bar_is_longer_than_its_place() -> None:
    """Whatever the figures of an earlier release counted: the longest fills what leaves room for its number."""
    widths = [float(found) for found in re.findall(r'<i style="width:([0-9.]+)%"></i>', render_page(full_review()))]
    assert max(widths) <= 78
