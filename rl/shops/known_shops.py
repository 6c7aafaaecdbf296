"""The simulated shops that a night can play, by the clock of their decisions."""

from __future__ import annotations

from collections.abc import Mapping

from conf.specs.delivery import Clock
from rl.shops.played_shop import KnownShop
from rl.shops.promotion.played_shop import PROMOTION
from rl.shops.recommendation.played_shop import RECOMMENDATION

KNOWN_SHOPS: Mapping[Clock, KnownShop] = {"session_step": RECOMMENDATION, "shopper_week": PROMOTION}
