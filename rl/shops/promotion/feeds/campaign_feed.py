"""The campaign tool's log: every decision of every week, sending nothing included, with its probability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from rl.shops.promotion.feeds.feed_lines import FeedLine, shopper_ids
from rl.shops.promotion.promotion_settings import PromotionSettings
from rl.shops.promotion.simulate import Simulation

NOBODY_CODE = "KEIN"
EVERYONE, BLOCKED = "alle", "gesperrt"
"""Names of the sets of offers that may be sent: all of them, or none but nothing."""

SCHEMA = pa.schema(
    [
        ("send_id", pa.string()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
        # A tool that once had rows without a customer keeps them as floats: 17850.0.
        ("customer", pa.float64()),
        ("offer", pa.string()),
        ("propensity", pa.float64()),
        ("audience", pa.string()),
        ("contact_cost", pa.decimal128(12, 6)),
        ("plan", pa.string()),
    ]
)


def offer_codes(settings: PromotionSettings) -> list[str]:
    """Return what the tool calls each action."""
    return [NOBODY_CODE, *[offer.code for offer in settings.offers]]


def decision_id(week: int, shopper: int) -> str:
    """Return the id of a shopper's decision of a week."""
    return f"S{week:03d}-{shopper}"


def campaign_lines(simulation: Simulation) -> Iterator[FeedLine]:
    """Yield a row for each decision of each week, shoppers in order."""
    settings, calendar = simulation.shop.settings, simulation.shop.calendar
    codes, own = offer_codes(settings), settings.logging.policy_version
    for week in simulation.weeks:
        time = calendar.decision_time(week.week)
        day = int(calendar.day(np.array([time]))[0])
        audience = np.where(week.mask.sum(axis=1) > 1, EVERYONE, BLOCKED).tolist()
        ids = shopper_ids(simulation.population.number[week.row])
        columns = (ids, week.action.tolist(), week.propensity.tolist(), audience, week.contact_cost.tolist())
        for shopper, action, propensity, allowed, cost in zip(*columns, strict=True):
            record: dict[str, object] = {
                "send_id": decision_id(week.week, shopper),
                "sent_at": time,
                "customer": float(shopper),
                "offer": codes[action],
                "propensity": propensity,
                "audience": allowed,
                "contact_cost": cost,
                "plan": simulation.plans.get(week.week, own),
            }
            yield FeedLine("on_time", record, time, day)
