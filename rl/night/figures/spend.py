"""Figures of gain against spend, from a night's curve."""

from __future__ import annotations

from rl.figures.spend import SpendFigures, SpendPoint, SpendRule
from rl.night.spend.gain_at_spend import GainAtSpend, WeeklyGain


def spend_figures(found: GainAtSpend | str | None, *, weekly_budget: float, level: float) -> SpendFigures | None:
    """Return the figures of the curve, or of why there is none; None where the scenario has no budget."""
    if found is None:
        return None
    if isinstance(found, str):
        return SpendFigures(weekly_budget=weekly_budget, level=level, refusal=found)
    points = tuple(
        SpendPoint(
            share=share,
            budget=share * weekly_budget,
            price=price,
            spend=one.spend,
            gain=one.gain,
            lower=one.gain - found.quantile * one.error,
            upper=one.gain + found.quantile * one.error,
            **_step(one, found.quantile),
        )
        for share, price, one in zip(found.shares, found.prices, found.curve, strict=True)
    )
    rules = tuple(_rule(one, found.quantile) for one in found.rules)
    return SpendFigures(
        weekly_budget=weekly_budget, level=level, n_shoppers=found.n_shoppers, points=points, rules=rules
    )


def _step(one: WeeklyGain, quantile: float) -> dict[str, float]:
    """Return the gain over the next smaller budget with its bounds; nothing at the smallest."""
    if one.step is None or one.step_error is None:
        return {}
    reach = quantile * one.step_error
    return {"step": one.step, "step_lower": one.step - reach, "step_upper": one.step + reach}


LEAST_SHOPPERS = 30
"""Shoppers, effectively, below which an estimate's normal interval says nothing: one of them may be most of it."""


def _rule(one: WeeklyGain, quantile: float) -> SpendRule:
    ahead, reach = one.behind or 0.0, quantile * (one.behind_error or 0.0)
    return SpendRule(
        name=one.name,
        spend=one.spend,
        gain=one.gain,
        lower=one.gain - quantile * one.error,
        upper=one.gain + quantile * one.error,
        ahead=ahead,
        ahead_lower=ahead - reach,
        ahead_upper=ahead + reach,
        refusal=_refusal(one.n_effective),
    )


def _refusal(n_effective: float | None) -> str | None:
    if n_effective is None or n_effective >= LEAST_SHOPPERS:
        return None
    return f"too few to tell: effectively {n_effective:,.1f} shoppers did as it says, of {LEAST_SHOPPERS} needed"
