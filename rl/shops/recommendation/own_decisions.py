"""The decisions of the shop's own rule, as the shop makes and logs them while nobody else decides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rl.shops.recommendation.canonical_lines import iso_times
from rl.shops.recommendation.lockstep_sessions import draw_actions
from rl.shops.recommendation.logging_policy import logging_policy
from rl.shops.recommendation.shop import Shop
from rl.shops.recommendation.shop_life import Question, Shown, shopper_id

_SHOWN = ("event_id", "event_time", "event_type", "item_id", "category_id", "decision_id", "position", "action")


class OwnDecisions:
    """Decides by the logging rule of a shop's settings."""

    def __init__(self, shop: Shop, day: int) -> None:
        """Take the shop and the day, from whose seed the choices are drawn."""
        self._shop, self._day = shop, day
        self._rule, self._rng = logging_policy(shop), np.random.default_rng([shop.settings.seed, 13, day])
        self._n = 0

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        """Return what the rule shows; each decision is a line of the shop's own log."""
        if not questions:
            return []
        mask = self._shop.availability[[one.half_day for one in questions]]
        chances = self._rule({}, mask)
        items = draw_actions(chances, mask, self._rng)
        propensity = chances[np.arange(len(items)), items]
        found = zip(questions, items.tolist(), propensity.tolist(), strict=True)
        return [self._shown(question, item, chance) for question, item, chance in found]

    def _shown(self, question: Question, item: int, propensity: float) -> Shown:
        catalogue, self._n = self._shop.catalogue, self._n + 1
        name = f"own-{self._day:04d}-{self._n:06d}"
        line: dict[str, object] = {
            "event_id": f"{name}-impression",
            "event_time": iso_times(np.array([question.time], dtype=np.int64))[0],
            "event_type": "impression",
            "user_id": shopper_id(question.shopper),
            "item_id": catalogue.item_ids[item],
            "category_id": catalogue.category_ids[catalogue.category[item]],
            "decision_id": name,
            "slate_id": f"s-{name}",
            "position": 0,
            "action": catalogue.item_ids[item],
            "propensity": propensity,
            "policy_version": self._shop.settings.logging.policy_version,
            "availability_id": self._shop.availability_ids[question.half_day],
        }
        return Shown(item, name, {field: line[field] for field in _SHOWN}, line)
