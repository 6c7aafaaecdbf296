"""A loop in figures: the true value of what decided on each day, what each night promised, and what was earned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from conf.paths import Lake
from conf.settings import Settings
from conf.specs.scenario import Pipeline
from rl.data.discount_function import DiscountFunction
from rl.data.logged_episodes import FloatArray
from rl.figures.loop import Earned, Known, LoopDay, LoopFigures, LoopNight
from rl.figures.values import Spread
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


def loop_figures(settings: Settings, pipeline: Pipeline, state: LoopState, truths: Truths) -> LoopFigures:
    """Return what came of the loop."""
    horizon = state.days[-1].date
    realised = realised_values(pipeline, Lake(settings.lake, pipeline.source.name), horizon)
    scenario = pipeline.scenario
    return LoopFigures(
        scenario=scenario.name,
        scenario_title=scenario.title,
        source=pipeline.source.name,
        seed=state.seed,
        reward_unit=scenario.reward.unit,
        level=scenario.evaluation.confidence,
        of="a session",
        gain_of="a session",
        days=tuple(_days(state, truths, realised)),
        nights=loop_nights(state),
        final_gain=_final_gain(state, truths),
        worse=tuple(_worse(state, truths)),
    )


def _days(state: LoopState, truths: Truths, realised: list[Realised]) -> list[LoopDay]:
    earned = {(one.day, one.policy_version): one for one in realised}
    own = {one.policy_version for one in realised} - {day.policy_version for day in state.days}
    found = []
    for day in state.days[state.n_past :]:
        by_own = [earned[day.date, name] for name in sorted(own) if (day.date, name) in earned]
        champion = None if day.version is None else truths.versions[day.version].get(day.date)
        found.append(
            LoopDay(
                date=day.date,
                version=day.version,
                share=day.share,
                behavior=_known(truths.behavior.get(day.date)),
                champion=_known(champion),
                served=_earned(earned.get((day.date, day.policy_version or ""))),
                control=_earned(by_own[0] if by_own else None),
            )
        )
    return found


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
    found, reigns = list[int](), _reigns(state)
    for place, number in enumerate(reigns):
        if number is None or number in reigns[:place]:
            continue
        former = reigns[place - 1] if place else None
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
    scenario, days = pipeline.scenario, []
    for number in range(state.n_past, len(state.days)):
        day = state.days[number]
        champion = None if day.version is None else Known(value=float(lived[number]), standard_error=0.0)
        behavior = Known(value=float(own[number]), standard_error=0.0)
        days.append(LoopDay(date=day.date, version=day.version, behavior=behavior, champion=champion))
    last = state.days[-1].version
    own_days = [number for number, day in enumerate(state.days) if last is not None and day.version == last]
    return LoopFigures(
        scenario=scenario.name,
        scenario_title=scenario.title,
        source=pipeline.source.name,
        seed=state.seed,
        reward_unit=scenario.reward.unit,
        level=scenario.evaluation.confidence,
        of=of,
        gain_of=gain_of,
        days=tuple(days),
        nights=loop_nights(state),
        final_gain=mean_gain(lived[own_days] - own[own_days]),
        worse=versions_that_lost(state, lived - own, own),
    )


def mean_gain(more: FloatArray) -> Spread | None:
    """Return the mean of what days (or weeks) earned more, with a 95% interval that takes them for independent."""
    if len(more) < 2:
        return None
    mean, half = float(more.mean()), _NORMAL_95 * float(more.std(ddof=1) / np.sqrt(len(more)))
    return Spread(value=mean, lower=mean - half, upper=mean + half)


def versions_that_lost(state: LoopState, more: FloatArray, own: FloatArray) -> tuple[int, ...]:
    """Return versions in whose days less was earned than by the shop's own rule, by more than LOWERED.

    Args:
        state: says who decided on which day.
        more: what each day earned beyond that rule, `(n_days,)`.
        own: what it would have earned by it, `(n_days,)`.
    """
    found = []
    for version in sorted({day.version for day in state.days if day.version is not None}):
        chosen = [number for number, day in enumerate(state.days) if day.version == version]
        if more[chosen].mean() < -LOWERED * abs(own[chosen].mean()):
            found.append(version)
    return tuple(found)


def _known(value: TrueValue | None) -> Known | None:
    return None if value is None else Known(value=value.value, standard_error=value.standard_error)


def _earned(one: Realised | None) -> Earned | None:
    if one is None or not np.isfinite(one.standard_error):
        return None
    return Earned(value=one.value, standard_error=one.standard_error, n_episodes=one.n_episodes)
