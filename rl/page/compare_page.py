"""The page of two versions held against each other: one self-contained HTML file, drawn from the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rl.figures.comparison import CODE, DATASET, ComparedVersion, SegmentChange, VersionComparison
from rl.figures.values import Spread
from rl.page import wording
from rl.page.environment import page_environment
from rl.page.readable_labels import left_out_sentence, readable

_FOLDER = Path(__file__).parent


def render_comparison(found: VersionComparison) -> str:
    """Return the page as HTML; every text from the figures is escaped."""
    context: dict[str, Any] = {
        "found": found,
        "css": Markup((_FOLDER / "review.css").read_text(encoding="utf-8")),
        "answer": answer_sentence(found),
        "sameness": sameness_sentences(found),
    }
    return _environment().get_template("compare.html.jinja").render(context).strip() + "\n"


def answer_sentence(found: VersionComparison) -> str:
    """Return which of the two earns more, or that it can't be told."""
    a, b = f"version {found.a.version}", f"version {found.b.version}"
    if found.paired is None:
        return f"Which of {a} and {b} earns more can't be told here"
    spread = found.paired.difference
    if spread.lower > 0:
        return f"{b.capitalize()} earns more than {a}"
    if spread.upper < 0:
        return f"{b.capitalize()} earns less than {a}"
    return f"{a.capitalize()} and {b} can't be told apart by what they earn"


def sameness_sentences(found: VersionComparison) -> tuple[str, ...]:
    """Return in plain words what both have in common and what differs: data, code, specs."""
    data = _common(found, DATASET, "Both learned from the same data", "They learned from different data")
    code = _common(found, CODE, "Both were made by the same code", "They were made by different code")
    return (*data, *code, _specs_sentence(found))


def _common(found: VersionComparison, name: str, same: str, other: str) -> tuple[str, ...]:
    """Return one of both sentences; none where it isn't known of either, which the data section tells."""
    if name in found.same:
        return (f"{same}.",)
    return (f"{other}.",) if any(one.name == name for one in found.data) else ()


def _specs_sentence(found: VersionComparison) -> str:
    n, sections = len(found.specs), found.sections
    if found.specs_refusal is not None:
        return "Their specs differ; which keys do isn't known."
    if not n:
        return "Both were made under the same specs."
    keys = "one key" if n == 1 else wording.counted(n, "key")
    if len(sections) == 1 and sections[0].only:
        version = found.a.version if sections[0].only == "a" else found.b.version
        return f"Their specs differ in one thing: only version {version} has {sections[0].name} ({keys})."
    if len(sections) == 1:
        return f"Their specs differ in {keys}, {'' if n == 1 else 'all '}in {sections[0].name}."
    named = ", ".join(f"{one.name} ({one.n_keys})" for one in sections)
    return f"Their specs differ in {keys}: {named}." if sections else f"Their specs differ in {keys}."


def _gain(version: ComparedVersion) -> str:
    gain = version.gain
    if gain is None or gain.value is None:
        return "none was estimated"
    return f"{wording.signed(gain.value)} ({wording.signed_range(gain.lower, gain.upper)})"


def _baseline(version: ComparedVersion) -> str:
    known = version.compared_with
    return f"version {known}" if known.isdecimal() else "the log's own decisions"


def _bounded_share(spread: Spread) -> str:
    return f"{wording.share(spread.value)} ({wording.share(spread.lower)} to {wording.share(spread.upper)})"


def _bounded(spread: Spread | None) -> str:
    if spread is None:
        return wording.UNKNOWN
    return f"{wording.number(spread.value)} ({wording.interval(spread.lower, spread.upper)})"


def _bounded_gain(spread: Spread) -> str:
    return f"{wording.signed(spread.value)} ({wording.signed_range(spread.lower, spread.upper)})"


def _segment(row: SegmentChange) -> str:
    return f"{row.dimension.replace('_', ' ')}: {row.label}"


def _environment() -> jinja2.Environment:
    names = ("count", "day", "estimator", "level", "number", "share", "signed_share")
    filters = {name: getattr(wording, name) for name in names}
    return page_environment(
        _FOLDER,
        {
            **filters,
            "gain": _gain,
            "baseline": _baseline,
            "bounded": _bounded,
            "bounded_share": _bounded_share,
            "bounded_gain": _bounded_gain,
            "segment": _segment,
            "readable": readable,
            "left_out_sentence": left_out_sentence,
        },
    )
