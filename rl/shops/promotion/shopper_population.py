"""Who shops: each shopper's kind, habits and attributes, drawn from numbers that belong to the shopper alone."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import ndtri

from rl.data.logged_episodes import BoolArray, FloatArray, IntArray
from rl.shops.promotion.chance import Chance
from rl.shops.promotion.promotion_settings import PromotionSettings

POPULATION_STREAM = 1
N_REGIONS = 4
FIRST_SHOPPER_ID = 17_000
_LEAST = 1e-12


@dataclass(frozen=True)
class Population:
    """Shoppers, `(n,)` each.

    Attributes:
        number: index of each shopper among all of the shop.
        kind: index of the kind; no log shows it.
        eagerness: own log hazard of a purchase beside the kind's.
        favorite: category liked best.
        joined_week: week at whose decision the shopper first stands; 0 for those who were there before.
        segment: what the shop's register says of the shopper: the kind's index, or another by mistake.
        region: likewise, without meaning.
        has_consented: whether the shopper lets the shop learn from them.
    """

    number: IntArray
    kind: IntArray
    eagerness: FloatArray
    favorite: IntArray
    joined_week: IntArray
    segment: IntArray
    region: IntArray
    has_consented: BoolArray

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: IntArray) -> Population:
        """Return some of the shoppers."""
        return Population(*(getattr(self, one.name)[rows] for one in fields(self)))


def draw_population(settings: PromotionSettings, chance: Chance, *, first: int, n_shoppers: int) -> Population:
    """Return shoppers from the first index on; a shopper is the same however many are drawn together."""
    draws = chance.uniforms(POPULATION_STREAM, 0, first=first, n_rows=n_shoppers, n_draws=10)
    shares = np.array([kind.share for kind in settings.kinds])
    kind = _drawn(draws[:, 0], shares / shares.sum())
    is_newcomer = draws[:, 3] < settings.newcomer_share
    is_right = draws[:, 5] < settings.segment_accuracy
    guess = np.floor(draws[:, 6] * len(shares)).astype(np.int64)
    return Population(
        number=np.arange(first, first + n_shoppers),
        kind=kind,
        eagerness=settings.spread * ndtri(np.clip(draws[:, 1], _LEAST, 1 - _LEAST)),
        favorite=np.floor(draws[:, 2] * settings.n_categories).astype(np.int64),
        joined_week=np.where(is_newcomer, np.floor(draws[:, 4] * settings.drawn_weeks), 0).astype(np.int64),
        segment=np.where(is_right, kind, guess),
        region=np.floor(draws[:, 7] * N_REGIONS).astype(np.int64),
        has_consented=draws[:, 8] >= settings.no_consent_share,
    )


def _drawn(uniforms: FloatArray, shares: FloatArray) -> IntArray:
    reached = np.cumsum(shares)
    return np.minimum(np.searchsorted(reached, uniforms, side="right"), len(shares) - 1).astype(np.int64)
