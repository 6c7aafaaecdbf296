"""Whether a version brings rewards to too few shoppers: where so few bring any that their values can't be compared."""

from __future__ import annotations

import math

from scipy.special import betainc, betaln

from rl.rollout.comparison import LEAST_REWARDED, StageUnits


def fewer_rewarded(units: StageUnits, share: float) -> float:
    """Return how likely so few rewarded shoppers of the new arm are, at any look, if it rewards no fewer.

    1 where the arms' values can be compared, or the replaced arm has too few rewarded shoppers itself. Drawn by lots,
    each shopper who is rewarded is of the new arm with the probability `share`, whoever comes and whenever. An exact
    p-value that holds at all looks together. It looks at how many are rewarded and not at how much, so that it is for
    arms of which nothing else can be told.

    Args:
        units: of both arms.
        share: of them who were drawn to get the new version.

    Source: Ville (1939); the mixture of likelihood ratios over all smaller probabilities alike (Robbins 1970).
    """
    n_any_new = int((units.value[units.is_new] != 0).sum())
    n_new = int((units.value[units.is_new] > 0).sum())
    n_replaced = int((units.value[~units.is_new] > 0).sum())
    if n_any_new >= LEAST_REWARDED or n_replaced < LEAST_REWARDED:
        return 1.0
    return anytime_p_value(n_new, n_replaced, share)


def anytime_p_value(n_new: int, n_replaced: int, share: float) -> float:
    """Return one over the mixture of likelihood ratios of smaller probabilities than `share` against it.

    With p uniform below s: 1 / s times the integral of p^n (1 - p)^m from 0 to s, over s^n (1 - s)^m. For any
    probability of s or more it is a supermartingale in the rewarded shoppers, one after the other.

    Args:
        n_new: rewarded shoppers of the new arm, n.
        n_replaced: likewise, m.
        share: probability s with which one is of the new arm if both reward alike.
    """
    below = betainc(n_new + 1, n_replaced + 1, share)
    if below == 0:
        return 1.0
    log_mixture = betaln(n_new + 1, n_replaced + 1) + math.log(below) - math.log(share)
    log_ratio = log_mixture - n_new * math.log(share) - n_replaced * math.log1p(-share)
    return math.exp(-max(float(log_ratio), 0.0))
