"""A loop in figures: the true value of what decided on each day, what each night promised, and what was earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

import numpy as np

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.figures.loop import Earned, Known, LoopDay, LoopFigures, LoopNight, NightSeconds
from rl.figures.values import Spread
from rl.loop.mean_gain import mean_gain
from rl.loop.realised import Realised, realised_values
from rl.loop.state import LoopState, RunNight
from rl.policy import load_policy
from rl.serving.in_use import policy_folder
from rl.shops.recommendation.lockstep_sessions import Probabilities
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.shop import build_shop
from rl.shops.recommendation.shop_settings import ShopSettings
from rl.shops.recommendation.true_value import TrueValue, observing, true_values_by_day

N_SESSIONS = 60_000
LOWERED = 0.02
"""A promotion is counted as harmful where it lowers the true value by more than this share."""
_NORMAL_95 = 1.959964

ByDay = Mapping[date, TrueValue]


@dataclass(frozen=True)
class Truths:
    """True values by day of the first behavior policy, and of every version that decided."""

    behavior: ByDay
    versions: Mapping[int, ByDay]


def true_values(settings: Settings, pipeline: Pipeline, shop: ShopSettings, state: LoopState) -> Truths:
    """Play the behavior policy and every champion on the same sessions of all days of the loop."""
    numbers = sorted({version for version in _reigns(state) if version is not None})
    first, last = state.days[state.n_past].date, state.days[-1].date
    discount = DiscountFunction.of(pipeline.scenario.discount)
    names = settings.home, pipeline.source.name, pipeline.scenario.name
    built = build_shop(shop)

    def played(probabilities: Probabilities, keys: list[str]) -> ByDay:
        return true_values_by_day(
            shop,
            probabilities,
            action_keys=keys,
            first_date=first,
            last_date=last,
            discount=discount,
            n_sessions=N_SESSIONS,
        )

    own = list(built.catalogue.item_ids)
    found = {}
    for number in numbers:
        policy = load_policy(policy_folder(*names, number))
        found[number] = played(observing(policy, policy.encode), list(policy.vocabulary.names))
    return Truths(played(logging_policy(built, own), own), found)


def loop_figures(
    settings: Settings, pipeline: Pipeline, state: LoopState, truths: Truths, *, own_rule: str
) -> LoopFigures:
    """Return what came of the loop.

    Args:
        settings: of the loop's home.
        pipeline: the scenario on the source.
        state: says who decided on which day, and what nights found.
        truths: by day.
        own_rule: policy version under which the shop's own rule logs.
    """
    horizon = state.days[-1].date
    realised = realised_values(pipeline, Lake(settings.lake, pipeline.source.name), horizon)
    return LoopFigures(
        **_facts(pipeline, state),
        of="a session",
        gain_of="a session",
        days=served_days(state, truths, realised, own_rule=own_rule),
        final_gain=_final_gain(state, truths),
        worse=tuple(_worse(state, truths)),
    )


def _facts(pipeline: Pipeline, state: LoopState) -> dict[str, Any]:
    """Return what the figures of any loop hold."""
    scenario, nights = pipeline.scenario, loop_nights(state)
    return {
        "scenario": scenario.name,
        "scenario_title": scenario.title,
        "source": pipeline.source.name,
        "seed": state.seed,
        "reward_unit": scenario.reward.unit,
        "level": scenario.evaluation.confidence,
        "nights": nights,
        "seconds_a_night": night_seconds(nights),
    }


def night_seconds(nights: Sequence[LoopNight]) -> NightSeconds | None:
    """Return how long nights took; None where it isn't known of any."""
    known = [night for night in nights if night.seconds > 0]
    if not known:
        return None
    slowest = max(known, key=lambda night: night.seconds)
    return NightSeconds(
        median=round(median(night.seconds for night in known), 1),
        slowest=round(slowest.seconds, 1),
        slowest_date=slowest.date,
        n_nights=len(known),
    )


def served_days(
    state: LoopState, truths: Truths, realised: Sequence[Realised], *, own_rule: str
) -> tuple[LoopDay, ...]:
    """Return the days after the first night, with what champion and control group earned.

    Args:
        state: says who decided on which day.
        truths: by day.
        realised: what each policy version earned by day; fallbacks and mixtures are among them.
        own_rule: the version among them that is the shop's own rule.
    """
    earned = {(one.day, one.policy_version): one for one in realised}
    found = []
    for day in state.days[state.n_past :]:
        champion = None if day.version is None else truths.versions[day.version].get(day.date)
        found.append(
            LoopDay(
                date=day.date,
                version=day.version,
                share=day.share,
                behavior=_known(truths.behavior.get(day.date)),
                champion=_known(champion),
                served=_earned(earned.get((day.date, day.policy_version or ""))),
                control=_earned(earned.get((day.date, own_rule))),
            )
        )
    return tuple(found)


def loop_nights(state: LoopState) -> tuple[LoopNight, ...]:
    """Return the nights of a loop as figures."""
    return tuple(_night(night) for night in state.nights)


def _night(night: RunNight) -> LoopNight:
    names = set(LoopNight.model_fields) - {"seconds"}
    return LoopNight(**{name: getattr(night, name) for name in names}, seconds=sum(night.seconds.values()))


def _reigns(state: LoopState) -> list[int | None]:
    """Return who decided, one after the other: a version stands again where it came back; None: the shop's own rule."""
    served = [day.version for day in state.days]
    return [version for place, version in enumerate(served) if not place or version != served[place - 1]]


def _beginnings(state: LoopState) -> list[tuple[int, int | None]]:
    """Return each version that decided, with who decided before it first did; None: the shop's own rule."""
    reigns = _reigns(state)
    former = [None, *reigns[:-1]]
    return [
        (number, former[place])
        for place, number in enumerate(reigns)
        if number is not None and number not in reigns[:place]
    ]


def _final_gain(state: LoopState, truths: Truths) -> Spread | None:
    """Return what the version gains that decided on the last day; None where the shop did by its own rule."""
    last = state.days[-1].version
    return None if last is None else _gain(truths.versions[last], truths.behavior)


def _gain(better: ByDay, worse: ByDay) -> Spread:
    """Return the mean over the days of one policy's true value less another's, with the interval of the playing.

    Both were played on the same sessions: taking their errors for independent widens the interval.
    """
    days = sorted(set(better) & set(worse))
    gain = float(np.mean([better[day].value - worse[day].value for day in days]))
    variance = sum(better[day].standard_error ** 2 + worse[day].standard_error ** 2 for day in days) / len(days) ** 2
    half = _NORMAL_95 * float(np.sqrt(variance))
    return Spread(value=gain, lower=gain - half, upper=gain + half)


def _worse(state: LoopState, truths: Truths) -> list[int]:
    """Return the versions that lowered the true value by more than LOWERED of what it was, as they began to decide.

    A version that comes back, since the one after it was taken back, begins no second time.
    """
    found = list[int]()
    for number, former in _beginnings(state):
        before = truths.behavior if former is None else truths.versions[former]
        mean = float(np.mean([value.value for value in before.values()]))
        if _gain(truths.versions[number], before).value < -LOWERED * mean:
            found.append(number)
    return found


def paired_figures(
    pipeline: Pipeline, state: LoopState, lived: FloatArray, own: FloatArray, *, of: str, gain_of: str
) -> LoopFigures:
    """Return what came of a loop whose days can be lived again by the shop's own rule, with the same chance.

    Args:
        pipeline: the scenario on the source.
        state: says who decided on which day.
        lived: what each day earned, `(n_days,)`.
        own: what it would have earned by the shop's own rule throughout, `(n_days,)`.
        of: what `lived` is of, such as `a day`.
        gain_of: what nights' gains are of.
    """
    days = []
    for number in range(state.n_past, len(state.days)):
        day = state.days[number]
        champion = None if day.version is None else Known(value=float(lived[number]), standard_error=0.0)
        behavior = Known(value=float(own[number]), standard_error=0.0)
        days.append(LoopDay(date=day.date, version=day.version, behavior=behavior, champion=champion))
    last = state.days[-1].version
    own_days = [number for number, day in enumerate(state.days) if last is not None and day.version == last]
    worse, untold = versions_that_lost(state, lived - own, own)
    return LoopFigures(
        **_facts(pipeline, state),
        of=of,
        gain_of=gain_of,
        days=tuple(days),
        final_gain=mean_gain(lived[own_days] - own[own_days], level=pipeline.scenario.evaluation.confidence),
        worse=worse,
        untold=untold,
    )


def versions_that_lost(state: LoopState, more: FloatArray, own: FloatArray) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return versions that lowered the true value by more than LOWERED as they began to decide, and the untold ones.

    Each is held against what decided before it. Where that is the shop's own rule, its days were lived by that rule,
    too. Days aren't lived by a replaced champion: there the true gain over it counts that the version's night played.

    Args:
        state: says who decided on which day, and what nights found.
        more: what each day earned beyond the shop's own rule, `(n_days,)`.
        own: what it would have earned by it, `(n_days,)`.
    """
    worse, untold = list[int](), list[int]()
    for number, former in _beginnings(state):
        if former is None:
            chosen = [place for place, day in enumerate(state.days) if day.version == number]
            is_worse: bool | None = bool(more[chosen].mean() < -LOWERED * abs(own[chosen].mean()))
        else:
            is_worse = _is_worse(state, number, former)
        if is_worse is None:
            untold.append(number)
        elif is_worse:
            worse.append(number)
    return tuple(sorted(worse)), tuple(sorted(untold))


def _is_worse(state: LoopState, number: int, former: int) -> bool | None:
    """Return whether a version lowered the true value of the champion that it replaced; None where it isn't known.

    Nights of an earlier release didn't keep that value: of those, a gain that isn't negative alone tells anything.
    """
    for night in state.nights:
        if (night.version, night.compared_with) == (number, str(former)) and night.true_gain is not None:
            if night.true_baseline is not None:
                return night.true_gain < -LOWERED * abs(night.true_baseline)
            return False if night.true_gain >= 0 else None
    return None


def _known(value: TrueValue | None) -> Known | None:
    return None if value is None else Known(value=value.value, standard_error=value.standard_error)


def _earned(one: Realised | None) -> Earned | None:
    if one is None or not np.isfinite(one.standard_error):
        return None
    return Earned(value=one.value, standard_error=one.standard_error, n_episodes=one.n_episodes)
