"""The three tiles at the top of the review page, in words of a shop owner: how much, how sure, resting on what."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rl.figures.values import Gain
from rl.page.content import Overlap, ReviewContent
from rl.page.sentences import BEHAVIOR_NAME
from rl.page.wording import chance, count, counted, is_heavy_tail, number, one_of, signed, signed_range, signed_share


@dataclass(frozen=True)
class Tile:
    """A figure with its name above and a note below."""

    name: str
    value: str
    note: str


def headline_tiles(page: ReviewContent) -> tuple[Tile, ...]:
    """Return the tiles; those on the gain only where there is one."""
    gain = page.judgment.gain
    about_gain = () if gain is None or gain.value is None else (_how_much(gain, page), _how_sure(gain, page))
    return (*about_gain, _resting_on(page))


def _how_much(gain: Gain, page: ReviewContent) -> Tile:
    """Return the gain in percent of today where today's value is known and positive, and in the unit."""
    today = "today's choices" if gain.baseline == BEHAVIOR_NAME else gain.baseline
    amount = f"{signed(gain.value)} {page.night.reward_unit} per episode"
    base, truth = _base(gain, page), _in_truth(gain, page)
    if base is None or gain.value is None:
        return Tile("Gain", amount, f"compared with {today}{truth}")
    note = f"{amount}, where {today} made {number(base)}{truth}"
    over = "today's choices" if gain.baseline == BEHAVIOR_NAME else "the champion"
    return Tile(f"Gain over {over}", signed_share(gain.value / base), note)


def _in_truth(gain: Gain, page: ReviewContent) -> str:
    """Return what the gain truly is, where the shop is simulated and both policies were played; else nothing."""
    played = {"candidate" if one.role == "candidate" else one.name: one.truth for one in page.policies}
    candidate, baseline = played.get("candidate"), played.get(gain.baseline)
    if candidate is None or baseline is None:
        return ""
    error = math.hypot(candidate.standard_error, baseline.standard_error)
    return f"; the true gain in this simulated shop is {signed(candidate.value - baseline.value)} (± {number(error)})"


def _how_sure(gain: Gain, page: ReviewContent) -> Tile:
    """Return the bounds in percent of today and in the unit, and how often the gate may be wrong."""
    base, unit = _base(gain, page), page.night.reward_unit
    is_bounded = gain.lower is not None or gain.upper is not None
    in_unit = signed_range(gain.lower, gain.upper) + (f" {unit}" if is_bounded else "")
    risk = f"a candidate that is no better passes with a chance of {chance(1 - gain.level)} at most"
    if page.doubts is not None and is_heavy_tail(page.doubts.tail_index):
        risk += f"; but a few {page.night.units} decide this gain, and chance may move it further than the range says"
    if base is None:
        return Tile("How sure", in_unit, risk)
    lower, upper = (None if bound is None else bound / base for bound in (gain.lower, gain.upper))
    return Tile("How sure", signed_range(lower, upper, signed_share), f"{in_unit} per episode; {risk}")


def _resting_on(page: ReviewContent) -> Tile:
    """Return how many of the units the weighted log is worth; the test episodes where that isn't known."""
    episodes = next((split.n_episodes for split in page.data.splits if split.name == "test"), None)
    overlap = _overlap_of_candidate(page)
    if overlap is None or overlap.effective_sample_size is None:
        return Tile("What it rests on", counted(episodes, "test episode"), "never used to choose anything")
    units = page.night.units
    return Tile(
        "What it rests on",
        f"{count(overlap.effective_sample_size)} of {counted(overlap.n_units, one_of(units), units)}",
        f"how many {units} the log is worth for judging this policy; "
        f"{counted(episodes, 'test episode')}, never used to choose anything",
    )


def _overlap_of_candidate(page: ReviewContent) -> Overlap | None:
    return next((policy.overlap for policy in page.policies if policy.role == "candidate"), None)


def _base(gain: Gain, page: ReviewContent) -> float | None:
    """Return today's value where the log can tell it from nothing; percents of a value near 0 mean nothing."""
    lower = {
        one.estimator: one.lower
        for policy in page.policies
        if policy.name == gain.baseline
        for one in policy.estimates
        if one.lower is not None
    }
    least = lower.get(gain.estimator, lower.get("on_policy"))
    return gain.baseline_value if least is not None and least > 0 else None
