"""The tables of docs/evaluation.md, as Markdown, from the JSON lines that `make bench-ope` printed.

Run as `python tests/bench/ope/tables.py FILE`; a section whose lines are not in the file is left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]
Key = tuple[str, str, int, str, str, str]

_KINDS = ("clicks", "baskets", "purchases", "uneven baskets", "large orders", "boundless baskets")
_SIZES = (300, 2500, 6000)
_ESTIMATES = (
    ("decisions", "snips"),
    ("sessions", "wpdis"),
    ("sessions", "dr"),
    ("sessions", "wdr"),
    ("sessions", "pdis"),
    ("sessions", "drl_s"),
    ("sessions", "dr gain"),
)
_METHODS = (
    "reaching",
    "widest",
    "percentile",
    "bca",
    "student",
    "student_skew",
    "empirical_likelihood",
    "euclidean_likelihood",
    "empirical_bernstein",
    "confidence_sequence",
)
NIGHTLY, NOT_WIDENED, CAUTIOUS = "reaching", "reaching, not widened", "cautious"


def tables(lines: Sequence[Line]) -> Iterator[str]:
    """Each table's lines, with a blank one after it."""
    found = {_key(line): line for line in lines if line["section"] == "coverage"}
    for size in _SIZES if found else ():
        for source in ("logged", "estimated"):
            yield from _titled(f"{size:,} sessions, {source} propensities", _coverage(found, size, source))
    if found:
        yield from _titled("DR and its gain with exact 95% bounds of the coverage, %", _bounded(found))
        yield from _titled("The gain, as the gate bounds it", _gains(found))
        yield from _titled("Interval methods: coverage (mean width) of DR, logged propensities", _methods(found))
        yield from _titled("What widening for estimated propensities adds", _widening(found))
    for section, fields in _PLAIN.items():
        rows = [line for line in lines if line["section"] == section]
        if rows:
            yield from _titled(section, _plain(rows, fields))


def _coverage(found: Mapping[Key, Line], size: int, source: str) -> Iterator[Sequence[str]]:
    yield ("rewards", "tail", "rewarded", *(name for _, name in _ESTIMATES), "abstained", "logs")
    for kind in _KINDS:
        row = found.get((kind, "sessions", size, source, "dr", NIGHTLY))
        if row is not None:
            cells = [_percent(found.get((kind, form, size, source, name, NIGHTLY))) for form, name in _ESTIMATES]
            abstained = f"{100 * row['abstained']:.0f}%"
            yield (kind, row["tail"], f"{row['rewarded']:.0f}", *cells, abstained, str(row["replications"]))


def _bounded(found: Mapping[Key, Line]) -> Iterator[Sequence[str]]:
    yield ("rewards", "sessions", "propensities", "logs", "DR", "DR gain")
    for size in _SIZES:
        for source in ("logged", "estimated"):
            for kind in _KINDS:
                rows = [found.get((kind, "sessions", size, source, name, NIGHTLY)) for name in ("dr", "dr gain")]
                if rows[0] is not None:
                    yield (kind, f"{size:,}", source, str(rows[0]["replications"]), *map(_with_bounds, rows))


def _gains(found: Mapping[Key, Line]) -> Iterator[Sequence[str]]:
    yield ("rewards", "propensities", "report", "cautious", "too high", "too low", "abstained", "else", "logs")
    for source in ("logged", "estimated"):
        for kind in _KINDS:
            plain, wide = (
                found.get((kind, "sessions", 2500, source, "dr gain", method)) for method in (NIGHTLY, CAUTIOUS)
            )
            if wide is not None:
                shares = [f"{100 * wide[name]:.1f}" for name in ("missed_high", "missed_low")]
                left = wide["coverage_not_abstained"]
                yield (
                    kind,
                    source,
                    _percent(plain),
                    _percent(wide),
                    *shares,
                    f"{100 * wide['abstained']:.0f}%",
                    "" if left is None else f"{100 * left:.1f}",
                    str(wide["replications"]),
                )


def _methods(found: Mapping[Key, Line]) -> Iterator[Sequence[str]]:
    kinds = [kind for kind in _KINDS if (kind, "sessions", 2500, "logged", "dr", "bca") in found]
    yield ("method", *kinds)
    for method in _METHODS:
        rows = [found[kind, "sessions", 2500, "logged", "dr", method] for kind in kinds]
        yield (method, *(f"{_percent(row)} ({row['width']:.3g})" for row in rows))


def _widening(found: Mapping[Key, Line]) -> Iterator[Sequence[str]]:
    yield ("rewards", "sessions", *(f"{name}, {how}" for _, name in _ESTIMATES[:3] for how in ("widened", "not")))
    for size in _SIZES:
        for kind in _KINDS:
            if (kind, "sessions", size, "estimated", "dr", NIGHTLY) in found:
                yield (
                    kind,
                    f"{size:,}",
                    *(
                        _percent(found.get((kind, form, size, "estimated", name, method)))
                        for form, name in _ESTIMATES[:3]
                        for method in (NIGHTLY, NOT_WIDENED)
                    ),
                )


_PLAIN: Mapping[str, Sequence[str]] = {
    "neural": ("log", "estimator", "interval", "bias", "bias_se", "rmse", "coverage", "width", "replications"),
    "segments": (
        "propensities",
        "coverage",
        "coverage_at_once",
        "coverage_at_once_se",
        "refused",
        "bias",
        "width",
        "replications",
    ),
    "selection": (
        "estimator",
        "n",
        "regret",
        "regret_se",
        "regret_of_highest",
        "rank_correlation",
        "worse",
        "supported",
        "replications",
    ),
}


def _plain(rows: Iterable[Line], fields: Sequence[str]) -> Iterator[Sequence[str]]:
    yield fields
    for row in rows:
        yield [str(row.get(name, "")) for name in fields]


def _titled(title: str, rows: Iterator[Sequence[str]]) -> Iterator[str]:
    header, *body = rows
    if body:
        yield f"**{title}**\n"
        for cells in (header, ["---"] * len(header), *body):
            yield f"| {' | '.join(cells)} |"
        yield ""


def _percent(line: Line | None) -> str:
    return "" if line is None else f"{100 * line['coverage']:.1f}"


def _with_bounds(line: Line | None) -> str:
    if line is None:
        return ""
    low, high = line["coverage95"]
    return f"{100 * line['coverage']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _key(line: Line) -> Key:
    return (line["log"], line["episodes"], line["n"], line["propensities"], line["estimator"], line["interval"])


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text("utf-8")
    print("\n".join(tables([json.loads(line) for line in text.splitlines() if line.startswith("{")])))
