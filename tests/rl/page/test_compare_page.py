"""The page of two versions: what is known is drawn, what isn't is said, and nothing runs."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rl.figures.comparison import (
    CODE,
    DATASET,
    ComparedVersion,
    Difference,
    PairedValues,
    SectionDifference,
    VersionComparison,
)
from rl.figures.values import Spread
from rl.page.compare_page import answer_sentence, render_comparison, sameness_sentences


def version(number: int, **given: Any) -> ComparedVersion:
    content = {"date": date(2026, 1, number), "source": "shop", "verdict": "promote", "candidate": "bc-1"}
    return ComparedVersion(**{"version": number, "compared_with": "behavior", **content, **given})


def paired(value: float, reach: float) -> PairedValues:
    spread = Spread(value=value, lower=value - reach, upper=value + reach)
    return PairedValues(estimator="dr", level=0.95, rests_on="the test episodes", difference=spread)


def comparison(**given: Any) -> VersionComparison:
    content = {"model": "recommendation-policy", "scenario_title": "What to show", "reward_unit": "points"}
    return VersionComparison(**{**content, "units": "shoppers", "a": version(3), "b": version(5), **given})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (paired(0.3, 0.1), "Version 5 earns more than version 3"),
        (paired(-0.3, 0.1), "Version 5 earns less than version 3"),
        (paired(0.3, 0.4), "Version 3 and version 5 can't be told apart by what they earn"),
        (None, "Which of version 3 and version 5 earns more can't be told here"),
    ],
)
def test_the_answer_claims_what_the_interval_shows(found: PairedValues | None, expected: str) -> None:
    """More or less only where both bounds say so."""
    assert answer_sentence(comparison(paired=found)) == expected


def test_the_page_says_what_is_not_known() -> None:
    """Each part has a sentence in its place."""
    page = render_comparison(
        comparison(specs_refusal="They differ.", paired_refusal="no data", decisions_refusal="no policy")
    )
    for sentence in ("They differ.", "<p>no data.</p>", "<p>no policy.</p>", "none was estimated"):
        assert sentence in page


def test_texts_are_escaped_and_nothing_runs() -> None:
    """A comment of a person, or a spec's title, is text."""
    page = render_comparison(
        comparison(
            a=version(3, decision="approved by ann: <script>alert(1)</script>"),
            specs=(Difference(name="scenario.title", a="<b>", b=""),),
        )
    )
    assert "<script" not in page
    assert "<code>&lt;b&gt;</code>" in page


def differences(*names: str) -> tuple[Difference, ...]:
    return tuple(Difference(name=name, a="1", b="2") for name in names)


def test_what_both_have_in_common_is_said_plainly() -> None:
    """Same data and code are two things, and one may hold without the other."""
    found = comparison(same=(DATASET,), data=differences(CODE))
    assert sameness_sentences(found) == (
        "Both learned from the same data.",
        "They were made by different code.",
        "Both were made under the same specs.",
    )
    assert sameness_sentences(comparison()) == ("Both were made under the same specs.",)
    assert sameness_sentences(comparison(specs_refusal="Not kept."))[0] == (
        "Their specs differ; which keys do isn't known."
    )


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ([("scenario.gate", 1, "")], "Their specs differ in one key, in scenario.gate."),
        ([("scenario.gate", 7, "")], "Their specs differ in 7 keys, all in scenario.gate."),
        (
            [("scenario.rollout", 7, "b")],
            "Their specs differ in one thing: only version 5 has scenario.rollout (7 keys).",
        ),
        (
            [("scenario.gate", 2, ""), ("source.zone", 1, "")],
            "Their specs differ in 3 keys: scenario.gate (2), source.zone (1).",
        ),
    ],
)
def test_seven_keys_of_one_section_are_one_thing(sections: list[tuple[str, int, Any]], expected: str) -> None:
    names = [f"{name}.{n}" for name, n_keys, _ in sections for n in range(n_keys)]
    told = tuple(SectionDifference(name=name, n_keys=n, only=only) for name, n, only in sections)
    found = comparison(specs=differences(*names), sections=told)
    assert sameness_sentences(found)[-1] == expected
    assert expected in render_comparison(found)


def test_versions_of_a_log_that_counts_no_stock_say_so_first_and_by_product_and_week() -> None:
    """Also where both declare the same, which is no difference."""
    declared = "Stock is simulated, since the log counts none."
    page = render_comparison(comparison(units="products", simulated_stock=(declared,), paired=paired(0.3, 0.1)))
    assert page.index(declared) < page.index("Version 5 earns more")
    assert "points per product and week" in page and "per episode" not in page
    assert "Stock is simulated" not in render_comparison(comparison(paired=paired(0.3, 0.1)))
